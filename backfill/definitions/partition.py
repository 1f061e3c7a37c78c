"""One partition: a name that identifies it, and the value users' functions work with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from backfill.definitions.keys import TimeWindow
from backfill.definitions.text import shown
from backfill.errors import DefinitionError

MAX_KEY_BYTES = 1024


@dataclass(frozen=True)
class Partition:
    """A part of the data that one run deals with.

    Attributes:
        value: Anything; what `run_config_fn_for_partition` reads.
        name: The partition's key, `str(value)` when not given.
        time_window: The window of a time-window set's partition, else None.
    """

    value: Any = None
    name: str = ""
    time_window: TimeWindow | None = field(default=None, compare=False)

    def __init__(
        self,
        value: Any = None,
        name: str | None = None,
        *,
        time_window: TimeWindow | None = None,
    ) -> None:
        if name is not None and not isinstance(name, str):
            raise DefinitionError(
                f"The name of a partition must be a str, not {shown(name)} ({type(name).__name__})."
            )
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "name", str(value) if name is None else name)
        object.__setattr__(self, "time_window", time_window)

    @property
    def key(self) -> str:
        """The partition's key: its name."""
        return self.name

    def __hash__(self) -> int:
        return hash(self.name)


def key_problem(key: str) -> str | None:
    """Say why a text cannot be the key of a partition, or None when it can."""
    if 0 < len(key) <= MAX_KEY_BYTES and key.isascii() and key.isprintable():
        return None
    if not key:
        return "is empty"
    if "\0" in key:
        return "holds a NUL character"
    try:
        size = len(key) if key.isascii() else len(key.encode())
    except UnicodeEncodeError:
        return "is not valid unicode (it holds a lone surrogate)"
    if size > MAX_KEY_BYTES:
        return f"is {size} bytes long; at most {MAX_KEY_BYTES} are kept"
    return None
