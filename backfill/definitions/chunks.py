"""Walking a chunk of frozen key ranges, partition by partition, for as long as time allows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from backfill.definitions.calls import KeyRange
from backfill.definitions.listing import Partitions
from backfill.definitions.partition import Partition
from backfill.definitions.ranges import Found, Piece, RangeFinder, pieces


class Chunk:
    """A chunk of the partitions of key ranges; walk it once.

    Args:
        offset: Counted, like everything here, as when the ranges were frozen.
        after: The key taken last before this chunk.

    Attributes:
        next_offset: Where to go on, once it was walked.
        vanished: Ends of ranges that were found gone.
        drifted: Whether a range has more or fewer keys than when it was frozen.
    """

    def __init__(
        self,
        partitions: Partitions,
        key_ranges: Sequence[KeyRange],
        offset: int,
        limit: int,
        after: str | None = None,
    ) -> None:
        self._partitions = partitions
        self._finder = RangeFinder(partitions.keys)
        self._pieces = list(pieces(key_ranges, offset, limit))
        self._after = after
        self.next_offset = offset
        self.vanished: list[str] = []
        self.drifted = False

    def all_keys(self) -> Iterator[str]:
        """Yield every key of the chunk, in order."""
        for piece in self._pieces:
            found = self._find(piece)
            yield from self._partitions.keys.slice(found.start, found.stop)
            self.next_offset += piece.end - piece.begin

    def until(self, ends_at: float) -> Iterator[Partition]:
        """Yield the partitions of the chunk, in order, until a time of the monotonic clock."""
        for piece in self._pieces:
            found = self._find(piece)
            left = found.stop - found.start
            for taken, partition in enumerate(
                self._partitions.between(found.start, found.stop), start=1
            ):
                yield partition
                if time.monotonic() > ends_at and taken < left:
                    self.next_offset += taken
                    return
            self.next_offset += piece.end - piece.begin

    def _find(self, piece: Piece) -> Found:
        found = self._finder.take(piece, self._after)
        self.vanished.extend(key for key in found.vanished if key not in self.vanished)
        self.drifted = self.drifted or found.drifted
        return found
