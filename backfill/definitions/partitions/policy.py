"""How many partitions of a backfill one run takes."""

from __future__ import annotations

from dataclasses import dataclass

from backfill.errors import DefinitionError


@dataclass(frozen=True)
class BackfillPolicy:
    """At most `max_partitions_per_run` neighbouring partitions per run; None: all in one."""

    max_partitions_per_run: int | None = 1

    def __post_init__(self) -> None:
        if self.max_partitions_per_run is not None and self.max_partitions_per_run < 1:
            raise DefinitionError("max_partitions_per_run must be at least 1.")

    @classmethod
    def single_run(cls) -> BackfillPolicy:
        """One run for the whole selection; the step sees the range of keys."""
        return cls(max_partitions_per_run=None)

    @classmethod
    def multi_run(cls, max_partitions_per_run: int = 1) -> BackfillPolicy:
        """One run for every so many neighbouring partitions."""
        return cls(max_partitions_per_run=max_partitions_per_run)
