"""One child process that holds definitions, seen from its parent."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backfill.definitions.host import DUMP_SIGNAL
from backfill.definitions.partitions import DynamicKeys
from backfill.definitions.user_code import is_ours
from backfill.definitions.wire import Ended, decode_error, encode_error, pack, receive, send
from backfill.errors import BackfillError, DefinitionError

_DUMP_SECONDS = 1.0
_FRAME = re.compile(r'File "(?P<file>[^"]*)", line (?P<line>\d+) in (?P<function>.*)')


class Gone(Exception):
    """The child no longer answers; it has been killed.

    Attributes:
        how: What it did: `did not answer within 30 s and was stopped`, `ended its process
            (SIGSEGV)`.
        stack: Where the user's code was, the innermost call first, as `hang (shop.py:12)` in lines;
            empty when that could not be learned.
    """

    def __init__(self, how: str, stack: str) -> None:
        super().__init__(how)
        self.how = how
        self.stack = stack


@dataclass(frozen=True)
class Answer:
    """What came back: a value or an error, and which files it depends on (of a load only)."""

    value: Any
    error: dict[str, Any] | None
    files: dict[str, tuple[int, int]]

    def unwrap(self) -> Any:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise decode_error(self.error)
        return self.value


class Child:
    """A running definitions process. Its parent calls it from one thread at a time.

    Start it from a thread that lives as long as it should: on Linux it dies with that thread.

    Attributes:
        generation: Which load of the code it holds; its pool counts them.
    """

    def __init__(
        self,
        sources: Sequence[str],
        loaded_at: datetime,
        dynamic_keys: DynamicKeys | None = None,
    ) -> None:
        self.generation = 0
        self._dynamic_keys = dynamic_keys
        self._connection, theirs = socket.socketpair()
        self._dump, dump_end = os.pipe()
        try:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "backfill.definitions.host"),
                    str(theirs.fileno()),
                    str(dump_end),
                    str(os.getpid()),
                    json.dumps(list(sources)),
                    loaded_at.isoformat(),
                ],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), dump_end),
                start_new_session=True,
            )
        except BaseException:
            self._connection.close()
            os.close(self._dump)
            raise
        finally:
            theirs.close()
            os.close(dump_end)

    @property
    def pid(self) -> int:
        return self._process.pid

    def loaded(self, seconds: float) -> Answer:
        """Return the catalog, once the definitions are loaded, or why they are not."""
        return self._receive(seconds, time.monotonic() + seconds)

    def call(self, method: str, arguments: dict[str, Any], seconds: float) -> Answer:
        """Call a method of `Definitions` in the child.

        Raises:
            Gone: It did not answer in time, or crashed. Start another.
        """
        deadline = time.monotonic() + seconds
        self._connection.settimeout(seconds)
        try:
            send(self._connection, pack([method, arguments]))
        except (Ended, TimeoutError) as error:
            raise self._gone(error, seconds) from None
        return self._receive(seconds, deadline)

    def stop(self) -> None:
        """Send the child its death; whoever waits for an answer gets `Gone` and cleans up."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """End the child and everything it started, and let go of it."""
        if self._process.returncode is None:
            self.stop()
            self._process.wait()
            self._connection.close()
            os.close(self._dump)

    def _receive(self, seconds: float, deadline: float) -> Answer:
        try:
            message = self._next_message(deadline)
            while "ask" in message:
                send(self._connection, self._keys_asked_for(message["ask"]))
                message = self._next_message(deadline)
        except (Ended, TimeoutError) as error:
            raise self._gone(error, seconds) from None
        files = {file: (stamp[0], stamp[1]) for file, stamp in message.get("files", {}).items()}
        return Answer(message.get("value"), message.get("error"), files)

    def _next_message(self, deadline: float) -> Any:
        return receive(self._connection, lambda: deadline - time.monotonic())

    def _keys_asked_for(self, name: str) -> bytes:
        """Answer a question of the child's: the keys of dynamic partitions."""
        try:
            if self._dynamic_keys is None:
                raise DefinitionError(f'Nothing keeps the keys of the dynamic partitions "{name}".')
            return pack({"value": self._dynamic_keys(name)})
        except BackfillError as error:
            return pack({"error": encode_error(error)})

    def _gone(self, error: Exception, seconds: float) -> Gone:
        hangs = isinstance(error, TimeoutError)
        if hangs:
            self._process.send_signal(DUMP_SIGNAL)
        stack = _user_frames(self._read_dump())
        self.kill()
        if hangs:
            return Gone(f"did not answer within {seconds:g} s and was stopped", stack)
        return Gone(f"ended its process ({_how(self._process.returncode)})", stack)

    def _read_dump(self) -> str:
        """Return what the child's fault handler writes, waiting a moment for it or its end."""
        data = b""
        deadline = time.monotonic() + _DUMP_SECONDS
        while time.monotonic() < deadline:
            patience = 0.1 if data else _DUMP_SECONDS
            if not select.select([self._dump], [], [], patience)[0]:
                break
            read = os.read(self._dump, 65536)
            if not read:
                break
            data += read
        return data.decode("utf-8", "replace")


def _user_frames(dump: str) -> str:
    """Return the lines of a stack dump that are of users' code, the innermost call first."""
    lines = []
    for line in dump.splitlines():
        frame = _FRAME.search(line)
        if frame is not None and not is_ours(frame["file"]):
            lines.append(f"{frame['function']} ({frame['file']}:{frame['line']})")
    return "\n".join(lines)


def _how(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit status {code}"
    return signal.Signals(-code).name
