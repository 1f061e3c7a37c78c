"""What a selection says, as data; `str()` of it is its text, which parses to the same again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from backfill.definitions.selection.words import (
    KEYWORDS,
    PREFIXES,
    WEEKDAYS,
    StatusWord,
    duration_text,
    month_span,
    spans_text,
    weekday_span,
)

BARE = re.compile(r'[^\s,&!()\[\]"*=]+')
"""Text that needs no quotes, as far as its characters go."""

_MONTH_TEXTS = [str(number) for number in range(13)]


class Selection:
    """Some partitions of a set, told by the selection language."""

    def children(self) -> tuple[Selection, ...]:
        """Return the selections this one is made of."""
        return ()

    def walk(self) -> Iterator[Selection]:
        """Yield this selection and all it is made of."""
        yield self
        for child in self.children():
            yield from child.walk()


@dataclass(frozen=True)
class All(Selection):
    """Every partition."""

    def __str__(self) -> str:
        return "all"


@dataclass(frozen=True)
class Key(Selection):
    """The partition of a key. `column` is where the text names it, from 1; 0 when unknown."""

    key: str
    column: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return quoted_if_needed(self.key)


@dataclass(frozen=True)
class Range(Selection):
    """All from one key to another, both included; None leaves a side open, but not both."""

    first: str | None
    last: str | None
    column: int = field(default=0, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.first is None and self.last is None:
            raise ValueError("a range has at least one end")

    def __str__(self) -> str:
        ends = (quoted_if_needed(end) if end is not None else "" for end in (self.first, self.last))
        return f"[{'...'.join(ends)}]"


@dataclass(frozen=True)
class Wildcard(Selection):
    """The keys that have these parts in this order, with anything between each two of them."""

    parts: tuple[str, ...]
    column: int = field(default=0, compare=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.parts) < 2:
            raise ValueError("a wildcard has at least one star")

    def __str__(self) -> str:
        return "*".join(quoted_if_needed(part) if part else "" for part in self.parts)

    @property
    def is_prefix(self) -> bool:
        """Whether its only star stands at the end."""
        return len(self.parts) == 2 and not self.parts[1]

    def matches(self, key: str) -> bool:
        """Tell whether a key has this form; takes time linear in the key's length."""
        first, *middle, last = self.parts
        if len(key) < len(first) + len(last) or not key.startswith(first):
            return False
        if not key.endswith(last):
            return False
        position, end = len(first), len(key) - len(last)
        for part in middle:
            position = key.find(part, position, end)
            if position < 0:
                return False
            position += len(part)
        return True


@dataclass(frozen=True)
class Last(Selection):
    """The newest `count` partitions."""

    count: int

    def __str__(self) -> str:
        return f"last:{self.count}"


@dataclass(frozen=True)
class Recent(Selection):
    """The time windows that start within so many seconds before now."""

    seconds: int

    def __str__(self) -> str:
        return f"last:{duration_text(self.seconds)}"


@dataclass(frozen=True)
class Weekdays(Selection):
    """The time windows that start on these weekdays (0 = Monday, ascending)."""

    days: tuple[int, ...]

    def __str__(self) -> str:
        return f"dow:{spans_text(self.days, WEEKDAYS)}"


@dataclass(frozen=True)
class Months(Selection):
    """The time windows that start in these months (1 to 12, ascending)."""

    months: tuple[int, ...]

    def __str__(self) -> str:
        return f"month:{spans_text(self.months, _MONTH_TEXTS)}"


@dataclass(frozen=True)
class Status(Selection):
    """The partitions whose runs have come to this."""

    word: StatusWord

    def __str__(self) -> str:
        return self.word.value


@dataclass(frozen=True)
class Older(Selection):
    """The partitions whose last success finished more than so many seconds ago."""

    seconds: int

    def __str__(self) -> str:
        return f"older:{duration_text(self.seconds)}"


@dataclass(frozen=True)
class Dimension(Selection):
    """The partitions whose key of one dimension is selected in that dimension."""

    name: str
    selection: Selection
    column: int = field(default=0, compare=False, repr=False)

    def children(self) -> tuple[Selection, ...]:
        return (self.selection,)

    def __str__(self) -> str:
        return f"{quoted_if_needed(self.name)}={_atom_text(self.selection)}"


@dataclass(frozen=True)
class Union(Selection):
    """What is in any of the parts."""

    parts: tuple[Selection, ...]

    def children(self) -> tuple[Selection, ...]:
        return self.parts

    def __str__(self) -> str:
        loose = (Union, Except)
        return ", ".join(_in_parentheses_if(part, loose) for part in self.parts)


@dataclass(frozen=True)
class Intersection(Selection):
    """What is in all of the parts."""

    parts: tuple[Selection, ...]

    def children(self) -> tuple[Selection, ...]:
        return self.parts

    def __str__(self) -> str:
        return " & ".join(_atom_text(part) for part in self.parts)


@dataclass(frozen=True)
class Except(Selection):
    """What is in `base` and in none of `removed`."""

    base: Selection
    removed: tuple[Selection, ...]

    def children(self) -> tuple[Selection, ...]:
        return (self.base, *self.removed)

    def __str__(self) -> str:
        parts = (self.base, *self.removed)
        return " ! ".join(_in_parentheses_if(part, (Except,)) for part in parts)


def quoted(key: str) -> str:
    """Return a key in quotes."""
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def quoted_if_needed(key: str) -> str:
    """Return a key as a selection has to write it to mean just that key."""
    plain = BARE.fullmatch(key) and key.isprintable() and "..." not in key and "…" not in key
    return key if plain and not _has_meaning(key) else quoted(key)


def _has_meaning(word: str) -> bool:
    if word in KEYWORDS or word.startswith(PREFIXES):
        return True
    return weekday_span(word) is not None or month_span(word) is not None


def _atom_text(selection: Selection) -> str:
    return _in_parentheses_if(selection, (Union, Intersection, Except))


def _in_parentheses_if(selection: Selection, kinds: tuple[type[Selection], ...]) -> str:
    return f"({selection})" if isinstance(selection, kinds) else str(selection)
