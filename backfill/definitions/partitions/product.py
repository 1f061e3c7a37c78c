"""Keys of several dimensions: how they are joined, and their computed key space."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from math import prod

from backfill.definitions.keys import CalendarKeys, KeySpace, TimeWindow

_SPECIAL = re.compile(r"\||\\(?=[\\|]|$)")
_ESCAPED = re.compile(r"\\([\\|])")
_SEPARATOR = re.compile(r"((?:[^\\|]|\\.)*)(?:\||$)", re.DOTALL)


def join_key(parts: Sequence[str]) -> str:
    """Join the keys of the dimensions with `|`; a `|` inside one is written as `\\|`."""
    return "|".join(_SPECIAL.sub(r"\\\g<0>", part) if _needs_care(part) else part for part in parts)


def split_key(key: str) -> list[str]:
    """Return the keys of the dimensions that were joined."""
    if "\\" not in key:
        return key.split("|")
    parts = []
    position = 0
    while position <= len(key):
        match = _SEPARATOR.match(key, position)
        if match is None:  # a lone backslash at the end: no joined key looks like this
            return [key]
        parts.append(_ESCAPED.sub(r"\1", match.group(1)))
        position = match.end() if match.end() > match.end(1) else len(key) + 1
    return parts


def _needs_care(part: str) -> bool:
    return "|" in part or "\\" in part


@dataclass(frozen=True)
class ProductKeys:
    """Every combination of the keys of the dimensions; the last dimension varies fastest."""

    named: tuple[tuple[str, KeySpace], ...]

    @property
    def dimensions(self) -> Mapping[str, KeySpace]:
        return dict(self.named)

    def __len__(self) -> int:
        return prod(len(keys) for _, keys in self.named)

    def key_at(self, index: int) -> str:
        if not 0 <= index < len(self):
            raise IndexError(index)
        parts = []
        for _, keys in reversed(self.named):
            index, place = divmod(index, len(keys))
            parts.append(keys.key_at(place))
        return join_key(parts[::-1])

    def index_of(self, key: str) -> int | None:
        parts = split_key(key)
        if len(parts) != len(self.named):
            return None
        index = 0
        for part, (_, keys) in zip(parts, self.named, strict=True):
            place = keys.index_of(part)
            if place is None:
                return None
            index = index * len(keys) + place
        return index if join_key(parts) == key else None

    def slice(self, start: int, stop: int) -> Sequence[str]:
        start, stop = max(start, 0), min(stop, len(self))
        if start >= stop:
            return []
        outer = self.named[:-1]
        last = self.named[-1][1]
        first_row, skip = divmod(start, len(last))
        rows = -(-stop // len(last)) - first_row
        low, high = (skip, skip + stop - start) if rows == 1 else (0, len(last))
        inner = [join_key([key]) for key in last.slice(low, high)]
        heads = ProductKeys(outer).slice(first_row, first_row + rows) if outer else [""]
        bar = "|" if outer else ""
        keys = (f"{head}{bar}{key}" for head, key in product(heads, inner))
        return list(islice(keys, skip - low, skip - low + stop - start))

    def window_of(self, key: str) -> TimeWindow | None:
        of_time = [i for i, (_, keys) in enumerate(self.named) if isinstance(keys, CalendarKeys)]
        parts = split_key(key)
        if len(of_time) != 1 or len(parts) != len(self.named):
            return None
        return self.named[of_time[0]][1].window_of(parts[of_time[0]])

    def nearest(self, key: str) -> Sequence[str]:
        if not len(self):
            return []
        parts = split_key(key)
        choices = []
        for place, (_, keys) in enumerate(self.named):
            part = parts[place] if place < len(parts) else ""
            known = keys.index_of(part) is not None
            choices.append([part] if known else list(keys.nearest(part)) or [keys.key_at(0)])
        return [join_key(choice) for choice in islice(product(*choices), 3)]
