"""`python -m benchmarks.listening URL`: one client of the live events, drained as they come.

A process of its own: what a client does with its events is not to delay what is measured.
"""

from __future__ import annotations

import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

CONNECTED = "connected"
BYTES_AT_ONCE = 1 << 16


def main() -> None:
    """Read until the stream ends or this process does."""
    url = urlsplit(sys.argv[1])
    connection = HTTPConnection(url.netloc)
    connection.request("GET", url.path, headers={"Accept": "text/event-stream"})
    response = connection.getresponse()
    if response.status != 200:
        sys.exit(f"{sys.argv[1]} answered {response.status} {response.reason}.")
    response.read1(BYTES_AT_ONCE)
    print(CONNECTED, flush=True)
    while response.read1(BYTES_AT_ONCE):
        pass


if __name__ == "__main__":
    main()
