"""What a step prints, as lines of its log.

`sys.stdout` and `sys.stderr` are replaced once per process by proxies that send what a step
writes to that step's lines, and everything else where it always went. What subprocesses and
threads of the step's own write goes where it always went.
"""

from __future__ import annotations

import sys
import threading
from contextvars import ContextVar
from typing import Any, Protocol

MAX_PARTIAL = 16 * 1024  # characters of a line that does not end

_lock = threading.Lock()


class Emit(Protocol):
    """Takes a captured line: `stdout` or `stderr`, and its text without the line end."""

    def __call__(self, level: str, text: str, /) -> None: ...


class StepOutput:
    """What one try of a step has printed and not yet ended with a line end."""

    __slots__ = ("_emit", "_partial")

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._partial: dict[str, str] = {}

    def write(self, level: str, text: str) -> None:
        """Take what was printed; emit the lines that are complete."""
        text = self._partial.pop(level, "") + text
        *lines, rest = text.split("\n")
        for line in lines:
            self._emit(level, _as_seen(line))
        rest = _as_seen(rest)
        while len(rest) > MAX_PARTIAL:
            self._emit(level, rest[:MAX_PARTIAL])
            rest = rest[MAX_PARTIAL:]
        if rest:
            self._partial[level] = rest

    def close(self) -> None:
        """Emit what was left without a line end."""
        for level, text in self._partial.items():
            self._emit(level, text)
        self._partial.clear()


def _as_seen(line: str) -> str:
    """Return what a terminal would show of a line: a progress bar's last state alone."""
    return line.rstrip("\r").rpartition("\r")[2]


current: ContextVar[StepOutput | None] = ContextVar("backfill_step_output", default=None)


class _Proxy:
    """A text stream that sends what a step writes to its lines."""

    def __init__(self, stream: Any, level: str) -> None:
        self._stream = stream
        self._level = level

    def write(self, text: str) -> int:
        output = current.get()
        if output is None:
            written: int = self._stream.write(text)
            return written
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        output.write(self._level, text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if current.get() is None:
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def install() -> None:
    """Put the proxies in place; again does nothing, unless something else replaced them."""
    with _lock:
        if not isinstance(sys.stdout, _Proxy):
            sys.stdout = _Proxy(sys.stdout, "stdout")
        if not isinstance(sys.stderr, _Proxy):
            sys.stderr = _Proxy(sys.stderr, "stderr")


def uninstall() -> None:
    """Put the streams back that `install` found."""
    with _lock:
        if isinstance(sys.stdout, _Proxy):
            sys.stdout = sys.stdout._stream
        if isinstance(sys.stderr, _Proxy):
            sys.stderr = sys.stderr._stream
