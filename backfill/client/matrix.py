"""Looking at a partition set: its matrix, and what is counted over it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from backfill.client.requests import Requests, pairs, part
from backfill.schemas.matrix import BoxRun, MatrixPage
from backfill.schemas.overview import Overview
from backfill.schemas.statistics import Staleness, Statistics


class MatrixRequests(Requests):
    """The Run Matrix and the statistics of a set."""

    def matrix(
        self,
        partition_set: str,
        *,
        order: str = "newest",
        start: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
        select: str | None = None,
        backfill: str | int | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> MatrixPage:
        """Return a page of the Run Matrix.

        Args:
            select: Only partitions of this selection.
            backfill: Only what this backfill did; with partitions that left the set since.
            tags: The same, of runs with all of these.
        """
        wanted = {
            "order": order,
            "start": start,
            "cursor": cursor,
            "limit": limit,
            "select": select,
            "backfill": backfill,
            "tag": pairs(tags),
        }
        path = f"/partition-sets/{part(partition_set)}/matrix"
        return MatrixPage.model_validate(self._get(path, wanted))

    def box(self, partition_set: str, partition: str, step: str) -> Iterator[BoxRun]:
        """Iterate over every run of one step of one partition, newest first."""
        path = f"/partition-sets/{part(partition_set)}/box"
        return self.pages(path, BoxRun, {"partition": partition, "step": step})

    def step_statistics(
        self,
        partition_set: str,
        *,
        newest: int = 100,
        first: str | None = None,
        last: str | None = None,
    ) -> Statistics:
        """Return how steps failed and how long they took, over the newest partitions or a range."""
        path = f"/partition-sets/{part(partition_set)}/step-statistics"
        wanted = {"newest": newest, "first": first, "last": last}
        return Statistics.model_validate(self._get(path, wanted))

    def staleness(self, partition_set: str) -> Staleness:
        """Return how many partitions of a set last succeeded with older code."""
        path = f"/partition-sets/{part(partition_set)}/staleness"
        return Staleness.model_validate(self._get(path))

    def overview(
        self,
        partition_set: str,
        *,
        buckets: int = 100,
        first: str | None = None,
        last: str | None = None,
    ) -> Overview:
        """Return how many partitions show which status, by step, in buckets of a set or range."""
        path = f"/partition-sets/{part(partition_set)}/overview"
        wanted = {"buckets": buckets, "first": first, "last": last}
        return Overview.model_validate(self._get(path, wanted))
