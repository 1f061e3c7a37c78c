"""Partitioned backfills on Celery."""

from backfill.definitions.partition import Partition
from backfill.definitions.partition_set import PartitionSetDefinition
from backfill.definitions.repository import repository

__all__ = ["Partition", "PartitionSetDefinition", "repository"]
