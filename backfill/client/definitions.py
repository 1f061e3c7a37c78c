"""Asking what is defined: pipelines, partition sets and their partitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from backfill.client.guards import PartitionSetHandle
from backfill.client.partitions import DynamicPartitions
from backfill.client.requests import Requests, part
from backfill.schemas.definitions import (
    ConfigValidation,
    Definitions,
    Partition,
    Pipeline,
    ResolvedConfig,
)
from backfill.schemas.guards import Block


class DefinitionRequests(Requests):
    """What is defined, and what of it is blocked."""

    def definitions(self) -> Definitions:
        """Return everything that is defined."""
        return Definitions.model_validate(self._get("/definitions"))

    def pipeline(self, name: str) -> Pipeline:
        """Return a pipeline."""
        return Pipeline.model_validate(self._get(f"/pipelines/{part(name)}"))

    def validate_config(self, pipeline: str, run_config: Mapping[str, Any]) -> ConfigValidation:
        """Say whether a run config fits a pipeline."""
        body = {"run_config": run_config}
        return ConfigValidation.model_validate(
            self._post(f"/pipelines/{part(pipeline)}/validate", body)
        )

    def partitions(
        self, partition_set: str, *, order: str = "oldest", start: str | None = None
    ) -> Iterator[Partition]:
        """Iterate over the partitions of a set."""
        path = f"/partition-sets/{part(partition_set)}/partitions"
        return self.pages(path, Partition, {"order": order, "start": start})

    def dynamic_partitions(
        self, partition_set: str, *, definition: str | None = None
    ) -> DynamicPartitions:
        """Return the keys of a set that come and go at run time: iterate, `add`, `remove`."""
        return DynamicPartitions(self.transport, partition_set, definition)

    def partition_set(self, name: str) -> PartitionSetHandle:
        """Return a partition set, to `block`, `unblock`, `mark` and `unmark` partitions of it."""
        return PartitionSetHandle(self.transport, name)

    def blocks(self, *, partition_set: str | None = None) -> Iterator[Block]:
        """Iterate over what is blocked, newest first."""
        return self.pages("/blocks", Block, {"partition_set": partition_set})

    def config(self, partition_set: str, partition: str) -> ResolvedConfig:
        """Return the run config that the run of a partition would get."""
        path = f"/partition-sets/{part(partition_set)}/config"
        return ResolvedConfig.model_validate(self._get(path, {"partition": partition}))
