"""Partitions from outside: keys added and removed at run time, configs validated one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx

from backfill.client.requests import pages, part
from backfill.client.transport import Transport
from backfill.schemas.backfills import Validated
from backfill.schemas.partitions import DynamicPartition, KeysChanged

IDLE_SECONDS = 300.0


class DynamicPartitions:
    """The dynamic partitions of a set; iterate over it for their keys.

    Args:
        definition: Which of the set's dynamic definitions, when it has several.
    """

    def __init__(self, transport: Transport, partition_set: str, definition: str | None) -> None:
        self._transport = transport
        self._path = f"/partition-sets/{part(partition_set)}/dynamic-partitions"
        self._definition = definition

    def __iter__(self) -> Iterator[DynamicPartition]:
        params = {"definition": self._definition}
        return pages(self._transport, self._path, DynamicPartition, params)

    def add(self, keys: Sequence[str]) -> KeysChanged:
        """Add keys, at the end; those that are there already stay where they are."""
        return self._change(self._path, keys)

    def remove(self, keys: Sequence[str]) -> KeysChanged:
        """Remove keys; runs of theirs that are on their way are skipped."""
        return self._change(f"{self._path}/remove", keys)

    def _change(self, path: str, keys: Sequence[str]) -> KeysChanged:
        body = {"keys": list(keys), "definition": self._definition}
        return KeysChanged.model_validate(self._transport.send("POST", path, body=body))


def validations(transport: Transport, body: Mapping[str, Any]) -> Iterator[Validated]:
    """Validate the config of every partition of a request; yield how far it is, often.

    Raises:
        Unreachable: The connection broke.
        BackfillError: The request cannot be planned.
    """
    try:
        with transport.stream(
            "/backfills/plan/validation",
            params={},
            headers={"Accept": "application/x-ndjson"},
            idle=IDLE_SECONDS,
            body=body,
        ) as answer:
            for line in answer.iter_lines():
                if line:
                    yield Validated.model_validate_json(line)
    except httpx.TransportError as error:
        raise transport.unreachable(error) from error
