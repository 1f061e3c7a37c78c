"""Packing: tiny runs of one kind put into messages together."""

from __future__ import annotations

import math
import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from backfill.lifecycle.admission.lanes import Lane


@dataclass(frozen=True)
class Message:
    """Runs that travel together: what to hand to the broker after the commit.

    Attributes:
        priority: Of its runs; a higher one is taken from the broker first.
        ahead: Nothing of its lane is active, while equals have messages waiting: it goes before
            those.
    """

    id: str
    queue: str
    pipeline_id: int
    run_ids: tuple[int, ...]
    label: str
    priority: int = 0
    ahead: bool = False


def pack(
    rows: Sequence[Row[Any]], lane: Lane, slots: int, *, single: Collection[int] = ()
) -> list[Message]:
    """Group runs into messages: alike ones together, marked ones alone, every slot used.

    Args:
        single: Ids of further runs that travel alone.
    """
    groups: dict[tuple[str, int, bool], list[Row[Any]]] = defaultdict(list)
    for row in rows:
        alone = row.alone or row.id in single
        groups[(row.queue or lane.queue, row.pipeline_id, alone)].append(row)
    messages: list[Message] = []
    for (queue, pipeline_id, alone), group in groups.items():
        size = 1 if alone else min(lane.pack, math.ceil(len(group) / slots))
        messages += [
            Message(
                id=new_message_id(),
                queue=queue,
                pipeline_id=pipeline_id,
                run_ids=tuple(row.id for row in part),
                label=_label(part),
                priority=lane.priority,
            )
            for part in _chunks(group, size)
        ]
    return messages


def span_message(rows: Sequence[Row[Any]], lane: Lane) -> Message:
    """Put the runs of one span into one message."""
    return Message(
        id=new_message_id(),
        queue=rows[0].queue or lane.queue,
        pipeline_id=rows[0].pipeline_id,
        run_ids=tuple(row.id for row in rows),
        label=_label(rows),
        priority=lane.priority,
    )


def new_message_id() -> str:
    """Return a fresh Celery task id."""
    return secrets.token_hex(8)


def _chunks(rows: Sequence[Row[Any]], size: int) -> Iterable[Sequence[Row[Any]]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _label(rows: Sequence[Row[Any]]) -> str:
    """Name the partitions of a message for people who look at Flower."""
    keys = [row.partition for row in rows if row.partition is not None]
    if len(keys) <= 3:
        return ", ".join(keys)
    return f"{keys[0]} … {keys[-1]} ({len(keys)} partitions)"
