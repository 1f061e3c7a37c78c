"""Turning any exception into an `ErrorInfo` that can be stored and shown."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType

from backfill.definitions.redaction import Redactor
from backfill.definitions.text import bounded
from backfill.errors import BackfillError
from backfill.execution.outcomes import ErrorInfo

MAX_MESSAGE = 16 * 1024  # characters
MAX_TRACEBACK = 64 * 1024
MAX_CAUSE_TRACEBACK = 16 * 1024
MAX_CAUSES = 8

_HERE = Path(__file__).resolve().parent
_ENGINE = f"{_HERE}/"
_PACKAGE = f"{_HERE.parent}/"


def describe_error(error: BaseException, redactor: Redactor) -> ErrorInfo:
    """Return an exception as values: bounded, storable, without known secrets; never raises."""
    return _describe(error, redactor, MAX_TRACEBACK, [])


def _describe(
    error: BaseException, redactor: Redactor, limit: int, seen: list[BaseException]
) -> ErrorInfo:
    seen.append(error)
    cause = _cause_of(error)
    told = None
    if cause is not None and len(seen) <= MAX_CAUSES and not any(cause is one for one in seen):
        told = _describe(cause, redactor, MAX_CAUSE_TRACEBACK, seen)
    return ErrorInfo(
        type=redactor.text(_type_name(error))[:500],
        message=bounded(redactor.text(_message(error)), MAX_MESSAGE),
        traceback=bounded(redactor.text(_traceback(error)), limit),
        cause=told,
    )


def _cause_of(error: BaseException) -> BaseException | None:
    if error.__cause__ is not None or error.__suppress_context__:
        return error.__cause__
    return error.__context__


def _type_name(error: BaseException) -> str:
    """Return the qualified name; of built-in classes and our own, the name alone."""
    cls = type(error)
    module = str(cls.__module__)
    if module in ("builtins", "__main__") or module.partition(".")[0] == "backfill":
        return cls.__qualname__
    return f"{module}.{cls.__qualname__}"


def _message(error: BaseException) -> str:
    try:
        return str.__str__(str(error))
    except BaseException as second:
        return f"<{type(error).__name__} whose str() raised {type(second).__name__}>"


def _traceback(error: BaseException) -> str:
    try:
        lines = traceback.format_exception(type(error), error, _users_part(error), chain=False)
        return "".join(lines)
    except BaseException as second:
        return f"<the traceback could not be formatted: {type(second).__name__}>"


def _users_part(error: BaseException) -> TracebackType | None:
    """Return the traceback without our frames at its top.

    Where there are no others, an error of ours needs none, and a fault in our code all of them.
    """
    part = error.__traceback__
    while part is not None and part.tb_frame.f_code.co_filename.startswith(_ENGINE):
        part = part.tb_next
    if part is None:
        return None if isinstance(error, BackfillError) else error.__traceback__
    if isinstance(error, BackfillError) and _only_ours(part):
        return None
    return part


def _only_ours(trace: TracebackType | None) -> bool:
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            return False
        trace = trace.tb_next
    return True
