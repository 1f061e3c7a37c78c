"""Where in the user's files a definition stands, so that an error can name it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

_OURS = str(Path(__file__).resolve().parent)


class Place(NamedTuple):
    """A line of a file, counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


NOWHERE = Place("<unknown>", 0)


def place_of(function: Callable[..., Any]) -> Place:
    """Return where a function is defined; where it has no code of its own, its class."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return Place(f"<{type(function).__name__}>", 0)
    return Place(code.co_filename, code.co_firstlineno)


def calling_place() -> Place:
    """Return the nearest line of the call stack that is not in this package."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(_OURS) and frame.f_back is not None:
        frame = frame.f_back
    return Place(frame.f_code.co_filename, frame.f_lineno)
