"""Calling functions that users wrote, so that their failures are told as theirs."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backfill.definitions.text import bounded, storable
from backfill.errors import UserCodeError

_OURS = str(Path(__file__).resolve().parent.parent)
_MACHINERY = ("<frozen importlib", "<frozen runpy", "<frozen zipimport")
_MAX_CHARS = 20_000


def call_user(what: str, function: Callable[..., Any], *args: object, **facts: Any) -> Any:
    """Call a function of the user's definitions and return what it returns.

    Args:
        what: What is called, to begin a sentence with: `The tags function of set "x"`.
        facts: Kept on the error: the names of the set, the partition and the like.

    Raises:
        UserCodeError: It raised; `facts["traceback"]` is the user's own.
    """
    try:
        return function(*args)
    except (Exception, SystemExit) as error:
        raise UserCodeError(
            f"{what} raised {describe(error)}", traceback=user_traceback(error), **facts
        ) from error


def describe(error: BaseException) -> str:
    """Return `ValueError: no such file`, on one line and bounded."""
    text = storable(" ".join(str(error).split()))[:500]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def user_traceback(error: BaseException) -> str:
    """Format an exception with the frames of the product and of the import system cut off."""
    told = traceback.TracebackException.from_exception(error)
    _cut_frames(told)
    return bounded(storable("".join(told.format())), _MAX_CHARS)


def is_ours(filename: str) -> bool:
    """Tell whether a frame of this file is the product's or the import system's own."""
    return (
        filename.startswith(_MACHINERY)
        or filename.startswith(_OURS + "/")
        or filename.endswith("/importlib/__init__.py")
    )


def _cut_frames(told: traceback.TracebackException) -> None:
    kept = [frame for frame in told.stack if not is_ours(frame.filename)]
    told.stack = traceback.StackSummary.from_list(kept)
    for linked in (told.__cause__, told.__context__, *(told.exceptions or ())):
        if linked is not None:
            _cut_frames(linked)
