"""Hooked: what failed beside the steps, and hurts nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from backfill.lifecycle.moves.deciding import Report
from backfill.lifecycle.telling import note_event
from backfill.storage.database import Database


def note_hook_errors(
    db: Database, conn: Connection, reports: Sequence[tuple[Report, Row[Any]]]
) -> None:
    """Keep an event of every hook of a step that failed."""
    for report, row in reports:
        for step, hook, error in report.hook_errors:
            note_event(
                db,
                conn,
                kind="run.hook_failed",
                message=f'hook "{hook}" of step "{step}" failed: {error.type}: {error.message}',
                run_id=row.id,
                backfill_id=row.backfill_id,
                facts={"hook": hook, "step": step, "attempt": row.attempt, "error": error.type},
            )
