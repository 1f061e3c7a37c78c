"""Evaluating a selection against the keys of a set, by arithmetic where keys are computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from backfill.definitions.keys import CalendarKeys, DimensionedKeys, KeySpace
from backfill.definitions.selection import problems
from backfill.definitions.selection.boxes import Box
from backfill.definitions.selection.calendar import windows_within
from backfill.definitions.selection.index_set import IndexSet
from backfill.definitions.selection.syntax import (
    All,
    Dimension,
    Except,
    Intersection,
    Key,
    Last,
    Months,
    Older,
    Range,
    Recent,
    Selection,
    Status,
    Union,
    Weekdays,
    Wildcard,
)
from backfill.definitions.selection.wildcards import by_dimension

DEFAULT_LIMIT = 2_000_000
_PAGE = 10_000
_FEW_PER_RANGE = 3

Found = IndexSet | Box


def evaluate(
    selection: Selection,
    keys: KeySpace,
    *,
    now: datetime,
    statuses: Mapping[str, Iterable[str] | IndexSet] | None = None,
    limit: int = DEFAULT_LIMIT,
) -> IndexSet:
    """Return the indexes of the selected partitions, in the set's order; never none.

    Args:
        keys: The set's keys, frozen for this evaluation.
        now: What `last:7d` is measured from.
        statuses: For each of `status_words(selection)`, the partitions it is true of, as keys or
            as indexes. Keys that are no longer in the set are passed over.
        limit: A selection of more partitions is refused, by counting.

    Raises:
        SelectionInvalid: It names unknown partitions (with the nearest ones), does not fit the kind
            of the set, selects nothing, or more than the limit.
    """
    evaluation = _Evaluation(keys, now, statuses or {}, limit)
    found = evaluation.find(selection, evaluation.everything())
    if evaluation.unknown:
        raise problems.unknown_keys(list(dict.fromkeys(evaluation.unknown)), keys)
    if not found:
        raise problems.selects_nothing(selection, keys)
    if len(found) > limit:
        raise problems.selects_too_many(selection, len(found), limit)
    return evaluation.listed(found)


def evaluate_part(
    selection: Selection,
    keys: KeySpace,
    *,
    now: datetime,
    statuses: Mapping[str, Iterable[str] | IndexSet],
    limit: int,
) -> IndexSet:
    """Return the indexes that a part of a selection which was evaluated before names; or none."""
    evaluation = _Evaluation(keys, now, statuses, limit)
    return evaluation.listed(evaluation.find(selection, evaluation.everything()))


def status_words(selection: Selection) -> frozenset[str]:
    """Return the words of a selection that only the outcomes of runs can tell.

    These are statuses such as `failed`, and `older:7d` for partitions whose last success finished
    more than 7 days ago.
    """
    return frozenset(str(part) for part in selection.walk() if isinstance(part, (Status, Older)))


def selected_keys(selected: IndexSet, keys: KeySpace) -> Iterator[str]:
    """Yield the keys at some indexes, page by page."""
    for part in selected.ranges:
        for start in range(part.start, part.stop, _PAGE):
            yield from keys.slice(start, min(start + _PAGE, part.stop))


@dataclass
class _Evaluation:
    keys: KeySpace
    now: datetime
    statuses: Mapping[str, Iterable[str] | IndexSet]
    limit: int
    unknown: list[tuple[str, int]] = field(default_factory=list)

    def everything(self) -> Found:
        if isinstance(self.keys, DimensionedKeys):
            return Box.full(tuple(len(keys) for keys in self.keys.dimensions.values()))
        return IndexSet.span(0, len(self.keys))

    def find(self, selection: Selection, within: Found) -> Found:
        """Return what of `within` is selected."""
        match selection:
            case All():
                return within
            case Key() | Range() | Last() | Status() | Older():
                return self._both(self._span(selection), within)
            case Wildcard():
                return self._wildcard(selection, within)
            case Weekdays() | Months() | Recent():
                return self._calendar(selection, within)
            case Dimension():
                return self._dimension(selection, within)
            case Union():
                return self._union(selection.parts, within)
            case Intersection():
                for part in sorted(selection.parts, key=_effort):
                    within = self.find(part, within)
                return within
            case Except():
                return self._except(self.find(selection.base, within), selection.removed)
        raise AssertionError(selection)

    def listed(self, found: Found) -> IndexSet:
        """Return a set of indexes, refusing one that is too large to be listed."""
        if isinstance(found, IndexSet):
            return found
        if len(found) > self.limit:
            raise problems.part_too_large(len(found), self.limit)
        return IndexSet.from_ranges(found.ranges())

    def _span(self, wanted: Key | Range | Last | Status | Older) -> IndexSet:
        total = len(self.keys)
        match wanted:
            case Key():
                index = self._index(wanted.key, wanted.column)
                return IndexSet.empty() if index is None else IndexSet.span(index, index + 1)
            case Range():
                return self._range(wanted)
            case Last():
                return IndexSet.span(max(total - wanted.count, 0), total)
        return self._status(str(wanted))

    def _index(self, key: str, column: int) -> int | None:
        index = self.keys.index_of(key)
        if index is None:
            self.unknown.append((key, column))
        return index

    def _range(self, wanted: Range) -> IndexSet:
        first: int | None = 0
        last: int | None = len(self.keys) - 1
        if wanted.first is not None:
            first = self._index(wanted.first, wanted.column)
        if wanted.last is not None:
            last = self._index(wanted.last, wanted.column)
        if first is None or last is None:
            return IndexSet.empty()
        if first > last and wanted.first is not None and wanted.last is not None:
            raise problems.wrong_way_round(wanted)
        return IndexSet.span(first, last + 1)

    def _status(self, word: str) -> IndexSet:
        if word not in self.statuses:
            raise problems.status_unknown_here(word)
        facts = self.statuses[word]
        if isinstance(facts, IndexSet):
            return facts
        indexes = (self.keys.index_of(key) for key in facts)
        return IndexSet.from_indexes(index for index in indexes if index is not None)

    def _calendar(self, wanted: Weekdays | Months | Recent, within: Found) -> Found:
        if isinstance(self.keys, DimensionedKeys):
            named = list(self.keys.dimensions.items())
            of_time = [i for i, (_, keys) in enumerate(named) if isinstance(keys, CalendarKeys)]
            if len(of_time) != 1:
                raise problems.which_dimension(wanted, [name for name, _ in named])
            return self._narrowed(of_time[0], wanted, within)
        if not isinstance(self.keys, CalendarKeys):
            raise problems.needs_time_windows(wanted)
        assert isinstance(within, IndexSet)
        return windows_within(wanted, self.keys, within, self.now)

    def _dimension(self, wanted: Dimension, within: Found) -> Found:
        if not isinstance(self.keys, DimensionedKeys):
            raise problems.no_dimensions(wanted)
        names = list(self.keys.dimensions)
        if wanted.name not in names:
            raise problems.no_such_dimension(wanted, names)
        return self._narrowed(names.index(wanted.name), wanted.selection, within)

    def _narrowed(self, place: int, selection: Selection, within: Found) -> Found:
        """Return the part of `within` whose key of one dimension is selected there."""
        assert isinstance(self.keys, DimensionedKeys)
        name, keys = list(self.keys.dimensions.items())[place]
        inner = _Evaluation(keys, self.now, {}, self.limit)
        side = inner.listed(inner.find(selection, inner.everything()))
        if inner.unknown:
            raise problems.unknown_keys(inner.unknown, keys, dimension=name)
        if isinstance(within, Box):
            return within.narrowed(place, side)
        everything = self.everything()
        assert isinstance(everything, Box)
        return self._cut(everything.narrowed(place, side), within)

    def _wildcard(self, wanted: Wildcard, within: Found) -> Found:
        if isinstance(self.keys, DimensionedKeys):
            pieces = by_dimension(wanted, len(self.keys.dimensions))
            for place, piece in enumerate(pieces or ()):
                within = self._narrowed(place, piece, within)
            return within if pieces else self._scan(wanted, within)
        if isinstance(self.keys, CalendarKeys):
            head = self.keys.with_prefix(wanted.parts[0])
            if head is not None:
                within = self._both(IndexSet.from_ranges(head), within)
                if wanted.is_prefix:
                    return within
        return self._scan(wanted, within)

    def _scan(self, wanted: Wildcard, within: Found) -> Found:
        if not any(wanted.parts):
            return within
        if len(within) > self.limit:
            raise problems.too_much_to_look_at(wanted, len(within), self.limit)
        indexes = self.listed(within)
        matching = map(wanted.matches, selected_keys(indexes, self.keys))
        return IndexSet.from_indexes(
            index for index, matches in zip(indexes, matching, strict=True) if matches
        )

    def _union(self, parts: Sequence[Selection], within: Found) -> Found:
        box: Box | None = None
        ranges: list[range] = []
        for part in parts:
            more = self.find(part, within)
            if isinstance(more, IndexSet):
                ranges.extend(more.ranges)
            elif box is None:
                box = more
            else:
                joined = box.union(more)
                if joined is None:
                    ranges.extend(self.listed(more).ranges)
                else:
                    box = joined
        if box is None or (ranges and not box):
            return IndexSet.from_ranges(ranges)
        return IndexSet.from_ranges([*self.listed(box).ranges, *ranges]) if ranges else box

    def _except(self, base: Found, removed: Sequence[Selection]) -> Found:
        """Take away one part after the other; first those that leave a product of dimensions."""
        waiting = list(_alternatives(removed))
        while waiting:
            left = []
            for part in waiting:
                found = self.find(part, base)
                rest = self._boxes_difference(base, found) if found else base
                if rest is None:
                    left.append(part)
                else:
                    base = rest
            if len(left) == len(waiting):
                return self.listed(base).difference(self.listed(self._union(left, base)))
            waiting = left
        return base

    def _boxes_difference(self, base: Found, part: Found) -> Box | None:
        if isinstance(base, Box) and isinstance(part, Box):
            return base.difference(part)
        return None

    def _both(self, one: Found, other: Found) -> Found:
        if isinstance(one, Box):
            return one.intersect(other) if isinstance(other, Box) else self._cut(one, other)
        return self._cut(other, one) if isinstance(other, Box) else one.intersect(other)

    def _cut(self, box: Box, indexes: IndexSet) -> IndexSet:
        """Return what is in both, going through the indexes rather than through the box."""
        if len(indexes) <= _FEW_PER_RANGE * indexes.range_count():
            return IndexSet.from_indexes(index for index in indexes if index in box)
        found: list[range] = []
        for part in indexes.ranges:
            for piece in box.ranges(part.start, part.stop):
                found.append(piece)
                if len(found) > self.limit:
                    raise problems.part_too_large(len(box), self.limit)
        return IndexSet.from_ranges(found)


def _alternatives(parts: Iterable[Selection]) -> Iterator[Selection]:
    for part in parts:
        if isinstance(part, Union):
            yield from _alternatives(part.parts)
        else:
            yield part


def _effort(selection: Selection) -> int:
    """Rank what is evaluated first: what narrows by arithmetic, before what looks at keys."""
    match selection:
        case Wildcard():
            return 1 if selection.is_prefix else 3
        case Weekdays() | Months() | Union() | Except():
            return 2
    return 0
