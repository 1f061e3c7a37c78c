"""What becomes of the ticks that nobody was there to handle."""

from __future__ import annotations

from dataclasses import dataclass

from backfill.errors import DefinitionError

_NAMES = {0: "none", 1: "last", None: "all"}


@dataclass(frozen=True)
class CatchUp:
    """How many of the ticks missed are made up for, the newest ones; None: all of them."""

    limit: int | None

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 0:
            raise DefinitionError("A catch-up policy makes up for 0 ticks or more.")

    @classmethod
    def none(cls) -> CatchUp:
        """Missed ticks stay missed."""
        return cls(0)

    @classmethod
    def last(cls) -> CatchUp:
        """Make up for the newest of the missed ticks."""
        return cls(1)

    @classmethod
    def up_to(cls, limit: int) -> CatchUp:
        """Make up for so many of the newest missed ticks."""
        return cls(limit)

    @classmethod
    def all(cls) -> CatchUp:
        """Make up for every missed tick since the schedule was started."""
        return cls(None)

    @classmethod
    def named(cls, name: str) -> CatchUp:
        """Return the policy that a policy's text names."""
        return cls(int(name)) if name.isdecimal() else catch_up_of(name)

    def __str__(self) -> str:
        return _NAMES.get(self.limit, str(self.limit))


DEFAULT = CatchUp.up_to(5)


def catch_up_of(given: CatchUp | str | int | None) -> CatchUp:
    """Return the policy that an argument means: itself, `none`, `last`, `all` or a number.

    Raises:
        DefinitionError: It means none of them.
    """
    if given is None:
        return DEFAULT
    if isinstance(given, CatchUp):
        return given
    if isinstance(given, int) and not isinstance(given, bool):
        return CatchUp(given)
    for limit, name in _NAMES.items():
        if given == name:
            return CatchUp(limit)
    raise DefinitionError(f"catch_up is none, last, all or a number of ticks, not {given!r}.")
