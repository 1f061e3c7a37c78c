"""What operators said, laid over matrix rows: marks in place of outcomes, blocks over the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from backfill.states import BoxStatus
from backfill.storage.database import Database
from backfill.storage.queries.marks import WHOLE, Mark

if TYPE_CHECKING:
    from backfill.storage.queries.matrix import Box, PartitionRow

_UNDER_WAY = {BoxStatus.RUNNING, BoxStatus.RETRYING}
_NOT_HIDDEN = {*_UNDER_WAY, BoxStatus.SUCCEEDED}


def guards_exist(name: str) -> str:
    """Render whether the set whose name is bound as `name` has any marks or blocks."""
    of_set = f"set_id = (SELECT id FROM partition_sets WHERE name = :{name})"
    marks, blocks = (
        f"EXISTS (SELECT 1 FROM {table} WHERE {of_set})"
        for table in ("outcome_marks", "blocked_partitions")
    )
    return f"({marks} OR {blocks})"


def with_guards(
    db: Database, conn: Connection, set_name: str, rows: Sequence[PartitionRow]
) -> list[PartitionRow]:
    """Lay marks and blocks over rows.

    A box that a run is on its way for shows that run; one whose outcome is newer than the mark
    shows the outcome. A block shows wherever nothing succeeded and nothing runs.
    """
    keys = [row.key for row in rows]
    marks, blocks = _said_of(db, conn, set_name, keys)
    if not marks and not blocks:
        return list(rows)
    return [_guarded(row, marks.get(row.key, {}), blocks.get(row.key)) for row in rows]


def _said_of(
    db: Database, conn: Connection, set_name: str, keys: Sequence[str]
) -> tuple[dict[str, dict[str, Mark]], dict[str, str]]:
    """Return every mark on these partitions by step, and why which are blocked; one statement."""
    of_set = "set_id = (SELECT id FROM partition_sets WHERE name = :set)"
    rows = conn.execute(
        db.sql(
            "SELECT partition, step, status, marked_at, note, marked_by FROM outcome_marks "
            f"WHERE {of_set} AND {db.one_of_texts('partition', 'keys')} UNION ALL "
            "SELECT b.partition, NULL, NULL, NULL, k.reason, NULL FROM blocked_partitions b "
            f"JOIN blocks k ON k.id = b.block_id WHERE b.{of_set} "
            f"AND {db.one_of_texts('b.partition', 'keys')}"
        ),
        {"set": set_name, "keys": db.texts(keys)},
    )
    marks: dict[str, dict[str, Mark]] = {}
    blocks: dict[str, str] = {}
    for partition, step, status, at, note, by in rows:
        if step is None:
            blocks[partition] = note
        else:
            marks.setdefault(partition, {})[step] = Mark(BoxStatus(status), at, note, by)
    return marks, blocks


def spoken_of(db: Database, conn: Connection, set_name: str, keys: Sequence[str]) -> set[str]:
    """Return which of these partitions are blocked or carry a mark."""
    rows = conn.execute(
        db.sql(
            " UNION ".join(
                f"SELECT partition FROM {table} "
                "WHERE set_id = (SELECT id FROM partition_sets WHERE name = :set) "
                f"AND {db.one_of_texts('partition', 'keys')}"
                for table in ("blocked_partitions", "outcome_marks")
            )
        ),
        {"set": set_name, "keys": db.texts(keys)},
    )
    return set(rows.scalars())


def _guarded(row: PartitionRow, marks: Mapping[str, Mark], blocked: str | None) -> PartitionRow:
    if not marks and blocked is None:
        return row
    whole = marks.get(WHOLE)
    overruled = whole is None or (row.finished_at is not None and row.finished_at > whole.at)
    boxes = {
        step: _laid_over(box, _newer(whole, marks.get(step)), blocked=blocked is not None)
        for step, box in row.boxes.items()
    }
    return row._replace(boxes=boxes, blocked=blocked, mark=None if overruled else whole)


def _newer(one: Mark | None, other: Mark | None) -> Mark | None:
    if one is None or other is None:
        return one or other
    return one if one.at > other.at else other


def _laid_over(box: Box, mark: Mark | None, *, blocked: bool) -> Box:
    on_its_way = box.status in _UNDER_WAY or box.status is BoxStatus.QUEUED
    newer = mark is not None and (box.finished_at is None or box.finished_at <= mark.at)
    if mark is not None and newer and not on_its_way:
        box = box._replace(status=mark.status, marked=True)
    return box._replace(status=BoxStatus.BLOCKED) if _hidden(box, blocked=blocked) else box


def _hidden(box: Box, *, blocked: bool) -> bool:
    return blocked and box.status not in _NOT_HIDDEN
