"""The definitions process: loads users' definitions and answers calls about them, one at a time.

`backfill.definitions.child` starts it. It talks over an inherited socket, so that what users' code
prints disturbs nothing: it goes to stderr. It ends with its parent, whatever users' code is doing
at that moment.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from backfill.definitions.calls import Expansion, KeyRange
from backfill.definitions.in_process import LocalDefinitions
from backfill.definitions.registry import Registry
from backfill.definitions.sources import files_of, parse_sources, stamps
from backfill.definitions.user_code import describe, user_traceback
from backfill.definitions.wire import Ended, decode_error, encode_error, pack, receive, send
from backfill.errors import BackfillError, UserCodeError

DUMP_SIGNAL = signal.SIGUSR1
_PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str]) -> None:
    """Serve until the parent closes the connection.

    Args:
        arguments: The descriptors of the connection and of the pipe for stack dumps, the
            parent's process id, the sources as a JSON list, and the time of the load.
    """
    connection_fd, dump_fd, parent, sources, loaded_at = arguments
    _end_with_parent(int(parent))
    connection = socket.socket(fileno=int(connection_fd))
    for descriptor in (int(connection_fd), int(dump_fd)):
        os.set_inheritable(descriptor, False)
    _print_to_stderr()
    faulthandler.enable(int(dump_fd), all_threads=False)
    faulthandler.register(DUMP_SIGNAL, int(dump_fd), all_threads=False)
    threading.Thread(target=_end_at_hangup, args=[connection], daemon=True).start()
    definitions = _load(connection, json.loads(sources), datetime.fromisoformat(loaded_at))
    if definitions is not None:
        _serve(connection, definitions)


def _load(
    connection: socket.socket, sources: Sequence[str], loaded_at: datetime
) -> LocalDefinitions | None:
    """Load the definitions and tell the parent what they are, or why they cannot be loaded."""
    try:
        registry = Registry.load(sources)
        definitions = LocalDefinitions(
            registry, loaded_at=loaded_at, dynamic_keys=partial(_ask_for_keys, connection)
        )
        hello = {"value": definitions.catalog(), "files": stamps(registry.source_files())}
        send(connection, pack(hello))
    except Ended:
        return None
    except Exception as error:
        files = stamps(files_of(error, parse_sources(sources)))
        send(connection, pack({"error": encode_error(_told("The load", error)), "files": files}))
        return None
    return definitions


def _serve(connection: socket.socket, definitions: LocalDefinitions) -> None:
    try:
        while True:
            method, arguments = receive(connection, lambda: None)
            send(connection, _answer(definitions, method, arguments))
    except Ended:
        return


_TIMES = {"at", "tick_at"}


def _answer(definitions: LocalDefinitions, method: str, arguments: dict[str, Any]) -> bytes:
    try:
        value = getattr(definitions, method)(**_decoded(arguments))
        return pack({"value": value.packed() if isinstance(value, Expansion) else value})
    except Exception as error:
        return pack({"error": encode_error(_told(f"The call {method}", error))})


def _ask_for_keys(connection: socket.socket, name: str) -> Sequence[str]:
    """Ask the parent, in the middle of a call, for the keys of dynamic partitions."""
    send(connection, pack({"ask": name}))
    reply = receive(connection, lambda: None)
    if "error" in reply:
        raise decode_error(reply["error"])
    keys: Sequence[str] = reply["value"]
    return keys


def _decoded(arguments: dict[str, Any]) -> dict[str, Any]:
    decoded = dict(arguments)
    for name in _TIMES & decoded.keys():
        decoded[name] = datetime.fromisoformat(decoded[name])
    if "key_ranges" in decoded:
        decoded["key_ranges"] = [KeyRange(*item) for item in decoded["key_ranges"]]
    return decoded


def _told(what: str, error: Exception) -> BackfillError:
    """Return an error as one of ours; others come from objects of the user's that misbehave."""
    if isinstance(error, BackfillError):
        return error
    return UserCodeError(f"{what} raised {describe(error)}", traceback=user_traceback(error))


def _end_with_parent(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _end_at_hangup(connection: socket.socket) -> None:
    """Kill this process and what users' code started in its group, once the parent is gone."""
    poll = select.poll()
    poll.register(connection.fileno(), 0)
    while not poll.poll():
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(0)


def _print_to_stderr() -> None:
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]


if __name__ == "__main__":
    main(sys.argv[1:])
