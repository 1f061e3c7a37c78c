"""`context.log`: lines of a run's log, as the standard library's loggers take them."""

from __future__ import annotations

import sys
import traceback
from typing import Any, Protocol

from backfill.definitions.text import shown

_WHOLE = 10**9  # cut later, when secrets are out
_LEVELS = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}


class Emit(Protocol):
    """Takes a line of the log: level and text; may raise what interrupts the step."""

    def __call__(self, level: str, text: str, /) -> None: ...


class StepLog:
    """Writes lines to the log of the run: `log.info("read %d rows", n)`.

    Arguments are put into the message as the standard library does; `exc_info=True` adds the
    traceback; other keywords of the standard library are accepted and left out.
    """

    __slots__ = ("_emit",)

    def __init__(self, emit: Emit) -> None:
        self._emit = emit

    def debug(self, message: object, *args: Any, **named: Any) -> None:
        """Write a line of level debug."""
        self._emit("debug", _text(message, args, named))

    def info(self, message: object, *args: Any, **named: Any) -> None:
        """Write a line of level info."""
        self._emit("info", _text(message, args, named))

    def warning(self, message: object, *args: Any, **named: Any) -> None:
        """Write a line of level warning."""
        self._emit("warning", _text(message, args, named))

    warn = warning

    def error(self, message: object, *args: Any, **named: Any) -> None:
        """Write a line of level error."""
        self._emit("error", _text(message, args, named))

    def critical(self, message: object, *args: Any, **named: Any) -> None:
        """Write a line of level critical."""
        self._emit("critical", _text(message, args, named))

    fatal = critical

    def exception(self, message: object, *args: Any, **named: Any) -> None:
        """Write a line of level error with the traceback of the exception being handled."""
        self._emit("error", _text(message, args, {"exc_info": True, **named}))

    def log(self, level: int, message: object, *args: Any, **named: Any) -> None:
        """Write a line of a level given as the standard library's number."""
        nearest = max((number for number in _LEVELS if number <= level), default=10)
        self._emit(_LEVELS[nearest], _text(message, args, named))


def _text(message: object, args: tuple[Any, ...], named: dict[str, Any]) -> str:
    text = _format(message, args)
    if named and named.get("exc_info"):
        text = f"{text}\n{_traceback(named['exc_info'])}"
    return text


def _format(message: object, args: tuple[Any, ...]) -> str:
    """Put the arguments into the message; what does not fit is shown beside it."""
    try:
        text = str(message)
        if not args:
            return text
        values = args[0] if len(args) == 1 and isinstance(args[0], dict) and args[0] else args
        return text % values
    except Exception:
        beside = " ".join(shown(arg, _WHOLE) for arg in args)
        return f"{message if isinstance(message, str) else shown(message)} {beside}".rstrip()


def _traceback(exc_info: object) -> str:
    error = exc_info if isinstance(exc_info, BaseException) else sys.exc_info()[1]
    if error is None:
        return "(no exception is being handled)"
    try:
        return "".join(traceback.format_exception(error)).rstrip("\n")
    except Exception:
        return shown(error)
