"""Partition keys as formatted times: writing them, and reading them back exactly."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from backfill.definitions.partitions.ticks import Block
from backfill.definitions.partitions.zones import load_zone

_WIDTHS = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (wall-clock times have no zone)


class _Layout(NamedTuple):
    """A format that is read by position: year, month, ... second, from the left, as far as it goes.

    Attributes:
        fields: Where each number starts and ends in the key.
        time_at: Where the part of the format begins that tells the time of day.
    """

    pattern: re.Pattern[str]
    fields: tuple[slice, ...]
    time_at: int


class KeyFormat:
    """Writes the start of a window as its key and reads it back.

    The second pass of a repeated hour gets its UTC offset appended, when the format has none and
    the windows come around in both passes.
    """

    def __init__(self, fmt: str, zone_name: str, *, both_passes: bool) -> None:
        self.fmt = fmt
        self._zone = load_zone(zone_name)
        self._marks_second_pass = both_passes and "%z" not in fmt
        self._layout = _layout(fmt)

    @property
    def sortable(self) -> bool:
        """Whether later times have larger keys, within one pass of the clocks."""
        return self._layout is not None

    def write(self, instant: int) -> str:
        """Return the key of a window that starts at `instant` (seconds since the epoch)."""
        local = datetime.fromtimestamp(instant, self._zone)
        if local.fold and self._marks_second_pass:
            return local.strftime(self.fmt + "%z")
        return local.strftime(self.fmt)

    def write_block(self, block: Block) -> Iterator[str]:
        """Yield the keys of the windows that start at the ticks of a block."""
        if block.irregular or self._layout is None:
            base = block.midnight - block.offset
            for second in block.seconds:
                yield self.write(base + second)
            return
        date_format, time_format = (
            self.fmt[: self._layout.time_at],
            self.fmt[self._layout.time_at :],
        )
        date = (_EPOCH + timedelta(seconds=block.midnight)).strftime(date_format)
        for time in _times(block.seconds, time_format):
            yield date + time

    def read(self, key: str) -> int | None:
        """Return the earliest instant `key` can stand for, or None when it has another form."""
        try:
            return math.floor(self._parse(key).timestamp())
        except (ValueError, OverflowError):
            return None

    def _parse(self, key: str) -> datetime:
        if self._layout is not None and self._layout.pattern.fullmatch(key):
            numbers = [int(key[field]) for field in self._layout.fields]
            numbers += [1] * (3 - len(numbers))
            return datetime(*numbers, tzinfo=self._zone)  # type: ignore[arg-type,misc]
        try:
            parsed = datetime.strptime(key, self.fmt)  # noqa: DTZ007
        except ValueError:
            parsed = datetime.strptime(key, self.fmt + "%z")  # noqa: DTZ007
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=self._zone)


def _layout(fmt: str) -> _Layout | None:
    pattern = ""
    fields: list[slice] = []
    units = ""
    width = 0
    time_at = None
    for match in re.finditer(r"%.|[^%]+|%", fmt, re.DOTALL):
        part = match.group()
        if part[0] != "%":
            pattern += re.escape(part)
            width += len(part)
            continue
        unit = part[1:]
        if unit not in _WIDTHS:
            return None
        if unit in "HMS" and time_at is None:
            time_at = match.start()
        pattern += rf"[0-9]{{{_WIDTHS[unit]}}}"
        fields.append(slice(width, width + _WIDTHS[unit]))
        width += _WIDTHS[unit]
        units += unit
    if not units or not "YmdHMS".startswith(units):
        return None
    return _Layout(re.compile(pattern), tuple(fields), len(fmt) if time_at is None else time_at)


@lru_cache(maxsize=64)
def _times(seconds: tuple[int, ...], time_format: str) -> tuple[str, ...]:
    """Return the times of a day, formatted."""
    return tuple((_EPOCH + timedelta(seconds=s)).strftime(time_format) for s in seconds)
