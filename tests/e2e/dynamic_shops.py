"""Shops that open and close while everything runs."""

from __future__ import annotations

from typing import Any

from backfill import PartitionSetDefinition, pipeline, step
from backfill.definitions.partitions import DynamicPartitionsDefinition


@step
def count_stock(context: Any) -> str:
    return str(context.partition_key)


@pipeline
def stock() -> None:
    count_stock()


shops = PartitionSetDefinition(
    name="shops",
    pipeline_name="stock",
    partitions_def=DynamicPartitionsDefinition(name="shops"),
)
