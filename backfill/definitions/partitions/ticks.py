"""The ticks of a cron in a time zone as instants, counted and found without listing them.

Between two changes of the zone's offset, ticks are wall-clock times less a constant. So the line of
time is cut into pieces: long ones in which ticks are counted by `WallTimes`, and tiny ones around
each change of the clocks, which hold their few ticks. The rules at a change:

- A cron whose hour field allows every hour follows the clock: it ticks in both passes of a repeated
  hour and not at all in a skipped one.
- Any other cron ticks once per named time. A skipped time ticks when the skip ends. A repeated time
  ticks in its second pass when its hour is 1, 2 or 3, and in its first pass otherwise (a repeated
  midnight begins the day).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import NamedTuple

from backfill.definitions.partitions.cron import Cron
from backfill.definitions.partitions.walls import WallTimes
from backfill.definitions.partitions.zones import (
    DAY_SECONDS,
    LAST_YEAR,
    Transition,
    load_zone,
    offset_at,
    transitions,
    year_start,
)
from backfill.errors import DefinitionError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MARGIN = 2 * DAY_SECONDS  # no change of the clocks reaches further
_SECOND_PASS_HOURS = (1, 2, 3)


class _Piece(NamedTuple):
    """A stretch of time: ticks are `listed`, or (when None) computed with a constant offset."""

    start: int
    before: int  # ticks before this piece
    offset: int
    walls_before: int
    listed: tuple[int, ...] | None


class Block(NamedTuple):
    """Ticks at `midnight - offset + second` for each of `seconds`.

    `midnight` is a local one (seconds since 1970-01-01 local), except in an irregular block at a
    change of the clocks, where the seconds are instants already.
    """

    midnight: int
    offset: int
    seconds: tuple[int, ...]
    irregular: bool


class Ticks:
    """The ticks of `cron` that are no ticks of `exclude`, from `start` on, counted from 0.

    All instants are whole seconds since the epoch. Grows by itself as later instants are asked for;
    holds a few numbers per change of the clocks.
    """

    def __init__(self, cron: Cron, exclude: tuple[Cron, ...], zone_name: str, start: int) -> None:
        self._cron = cron
        self._exclude = exclude
        self._zone_name = zone_name
        self._year = _year_of(start - _MARGIN)
        self._walls = WallTimes(cron, exclude, first_year=self._year - 1)
        self._lock = Lock()
        self._known = year_start(self._year)
        self._pieces: list[_Piece] = []
        self._befores: list[int] = []
        self._starts: list[int] = []
        self._add_plain(start, offset_at(load_zone(zone_name), self._known))
        self.repeats: list[int] = []
        """Indexes of the first tick after each setting back of the clocks, ascending, so far."""
        self._know(start)

    def count_before(self, instant: int) -> int:
        """Return how many ticks precede `instant`."""
        self._know(instant)
        index = bisect_right(self._starts, instant) - 1
        return self._count_in(self._pieces[index], instant) if index >= 0 else 0

    def nth(self, n: int) -> int:
        """Return the n-th tick (n >= 0).

        Raises:
            DefinitionError: It lies beyond the end of the calendar.
        """
        while self.count_before(self._known - _MARGIN - 1) <= n:
            self._know(self._known)
        piece = self._pieces[bisect_right(self._befores, n) - 1]
        if piece.listed is not None:
            return piece.listed[n - piece.before]
        return self._walls.nth(piece.walls_before + n - piece.before) - piece.offset

    def between(self, start: int, stop: int) -> Iterator[int]:
        """Yield the ticks with start <= tick < stop."""
        for block in self.blocks(start, stop):
            base = block.midnight - block.offset
            for second in block.seconds:
                yield base + second

    def blocks(self, start: int, stop: int) -> Iterator[Block]:
        """Yield the ticks with start <= tick < stop in blocks of at most a day."""
        self._know(stop)
        index = max(bisect_right(self._starts, start) - 1, 0)
        while index < len(self._pieces) and self._starts[index] < stop:
            piece = self._pieces[index]
            low = max(start, piece.start)
            high = min(stop, self._starts[index + 1]) if index + 1 < len(self._starts) else stop
            if piece.listed is not None:
                listed = tuple(tick for tick in piece.listed if low <= tick < high)
                yield Block(0, 0, listed, irregular=True)
            else:
                walls = self._walls.days_between(low + piece.offset, high + piece.offset)
                for midnight, seconds in walls:
                    yield Block(midnight, piece.offset, seconds, irregular=False)
            index += 1

    def _count_in(self, piece: _Piece, instant: int) -> int:
        if piece.listed is not None:
            return piece.before + bisect_left(piece.listed, instant)
        walls = self._walls.count_before(max(instant, piece.start) + piece.offset)
        return piece.before + walls - piece.walls_before

    def _know(self, instant: int) -> None:
        """Take in every change of the clocks that matters up to `instant`."""
        while self._known - _MARGIN <= instant:
            with self._lock:
                if self._year > LAST_YEAR:
                    raise DefinitionError(
                        f'The schedule "{self._cron.expression}" is asked for a time after the '
                        f"year {LAST_YEAR}, where its arithmetic ends."
                    )
                for transition in transitions(self._zone_name, self._year):
                    self._cross(transition)
                self._year += 1
                self._known = year_start(self._year)

    def _cross(self, transition: Transition) -> None:
        last = self._pieces[-1]
        back = max(transition.before - transition.after, 0)
        end = transition.at + back if back else _skip_end(transition) + 1
        if end <= last.start and len(self._pieces) == 1:  # before the first tick: nothing to list
            self._clear()
            self._add_plain(last.start, transition.after)
            return
        start = max(transition.at - back, last.start)
        ticks = self._around(transition)
        before = self._count_in(last, start)
        if back:
            first = sum(tick < transition.at for tick in ticks if tick >= start)
            self.repeats.append(before + first)
        listed = tuple(tick for tick in ticks if tick >= start)
        self._add(_Piece(start, before, 0, 0, listed))
        self._add_plain(max(end, start), transition.after)

    def _around(self, transition: Transition) -> list[int]:
        ticks = _ticks_around(self._cron, transition)
        for cron in self._exclude:
            ticks -= _ticks_around(cron, transition)
        return sorted(ticks)

    def _add_plain(self, start: int, offset: int) -> None:
        before = self._count_in(self._pieces[-1], start) if self._pieces else 0
        walls_before = self._walls.count_before(start + offset)
        self._add(_Piece(start, before, offset, walls_before, None))

    def _add(self, piece: _Piece) -> None:
        # Readers do not lock: what they look up second must be there first.
        self._pieces.append(piece)
        self._befores.append(piece.before)
        self._starts.append(piece.start)

    def _clear(self) -> None:
        del self._starts[:], self._befores[:], self._pieces[:]


def _ticks_around(cron: Cron, transition: Transition) -> set[int]:
    """Return the ticks at a setting forward of the clocks, or in both passes of a setting back."""
    at, before, after = transition
    forward = after > before
    low = at + (before if forward else after)
    high = _skip_end(transition) + after if forward else at + before
    year = _year_of(low - _MARGIN)
    days = WallTimes(cron, (), first_year=year).days_between(low, high + 1)
    walls = [midnight + second for midnight, seconds in days for second in seconds]
    if forward:
        ticks_here = bool(walls) and (not cron.every_hour or walls[-1] == high)
        return {high - after} if ticks_here else set()
    repeated = [wall for wall in walls if wall < high]
    if cron.every_hour:
        return {wall - offset for wall in repeated for offset in (before, after)}
    return {wall - (after if _second_pass(wall) else before) for wall in repeated}


def _skip_end(transition: Transition) -> int:
    """Return the first whole minute after a change: some offsets of the past have odd seconds."""
    return transition.at + -(transition.at + transition.after) % 60


def _second_pass(wall: int) -> bool:
    return wall % DAY_SECONDS // 3600 in _SECOND_PASS_HOURS


def _year_of(instant: int) -> int:
    return (_EPOCH + timedelta(seconds=instant)).year
