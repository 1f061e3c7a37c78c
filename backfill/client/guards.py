"""A partition set with the verbs of operators: block and unblock, mark and unmark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backfill.client.requests import pages, part
from backfill.client.transport import Transport
from backfill.schemas.guards import Block, Mark, PartitionsChanged


class PartitionSetHandle:
    """A partition set of one API."""

    def __init__(self, transport: Transport, name: str) -> None:
        self._transport = transport
        self.name = name

    def block(self, selection: str, *, reason: str) -> Block:
        """Keep backfills, launches and schedules from these partitions until they are unblocked.

        What is pending is skipped when its turn comes; what is queued or running finishes.
        """
        return Block.model_validate(self._send("block", selection=selection, reason=reason))

    def unblock(
        self,
        selection: str | None = None,
        *,
        block_id: str | int | None = None,
        note: str | None = None,
    ) -> int:
        """Let blocked partitions run again: of a selection, or of one block. Return how many."""
        block = None if block_id is None else str(block_id)
        return self._count("unblock", selection=selection, block_id=block, note=note)

    def mark(
        self,
        selection: str,
        status: str,
        *,
        steps: Sequence[str] | None = None,
        note: str | None = None,
    ) -> int:
        """Say that partitions, or steps of them, are `succeeded` or `missing`. Return how many.

        A mark stands until a run that ends later has an outcome of its own.
        """
        return self._count("mark", selection=selection, status=status, steps=steps, note=note)

    def unmark(
        self, selection: str, *, steps: Sequence[str] | None = None, note: str | None = None
    ) -> int:
        """Take marks back: what was recorded counts again. Return how many marks."""
        return self._count("unmark", selection=selection, steps=steps, note=note)

    def marks(self) -> Iterator[Mark]:
        """Iterate over what operators marked, newest first."""
        return pages(self._transport, f"{self._path}/marks", Mark, {})

    @property
    def _path(self) -> str:
        return f"/partition-sets/{part(self.name)}"

    def _send(self, verb: str, **body: Any) -> Any:
        given: Mapping[str, Any] = {name: v for name, v in body.items() if v is not None}
        return self._transport.send("POST", f"{self._path}/{verb}", body=given)

    def _count(self, verb: str, **body: Any) -> int:
        return PartitionsChanged.model_validate(self._send(verb, **body)).count
