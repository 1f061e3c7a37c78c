"""The Python client of the REST API; the CLI is built on it.

    from backfill import Client

    client = Client("http://127.0.0.1:8000")
    backfill = client.submit("date_partition_set", "[2020-05-01...2020-05-31]")
    assert backfill.wait(progress=True).state == "succeeded"

Errors are the classes of `backfill.errors`, with the API's own words.
"""

from backfill.client.client import Client
from backfill.client.handles import BackfillHandle, RunHandle
from backfill.client.schedules import ScheduleHandle

__all__ = ["BackfillHandle", "Client", "RunHandle", "ScheduleHandle"]
