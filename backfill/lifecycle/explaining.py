"""Explaining: why a run or a backfill stands where it stands, from facts in the database.

A bounded number of statements, each of a few rows, however much is pending.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row

from backfill.errors import no_backfill, no_run
from backfill.lifecycle import guards, reasons
from backfill.lifecycle.admission.waiting import backfill_waiting_for
from backfill.lifecycle.asking import Asking, behind_holder
from backfill.lifecycle.reasons import Reason, Why, counted, moment
from backfill.settings import Settings
from backfill.states import BACKFILL_FINAL, BackfillState, RunState
from backfill.storage.database import Database, decoded
from backfill.storage.queries import standing


def why_run(db: Database, settings: Settings, run_id: int) -> Why:
    """Say why a run stands where it stands.

    Raises:
        NotFound: There is no such run.
    """
    with db.read() as conn:
        run = standing.run_standing(db, conn, run_id)
        if run is None:
            raise no_run(run_id)
        asking = Asking(db, conn, settings)
        return Why("run", run_id, run.state, tuple(asking.of_run(run)))


def why_backfill(db: Database, settings: Settings, backfill_id: int) -> Why:
    """Say why a backfill stands where it stands.

    Raises:
        NotFound: There is no such backfill.
    """
    with db.read() as conn:
        row = standing.backfill_standing(db, conn, backfill_id)
        if row is None:
            raise no_backfill(backfill_id)
        asking = _OfBackfill(Asking(db, conn, settings))
        return Why("backfill", backfill_id, row.state, tuple(asking.of_backfill(row)))


class _OfBackfill:
    """Asks the database about one backfill."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def of_backfill(self, row: Row[Any]) -> Iterator[Reason]:
        state = BackfillState(row.state)
        if state in BACKFILL_FINAL:
            yield self._ended(row)
            return
        active = standing.active_by_state(self._asking.db, self._asking.conn, row.id)
        if state is BackfillState.PAUSED:
            yield self._asking.paused(row.id, row.pause_reason, "It")
            if row.pause_reason.startswith(EXPANSION_FAILED):
                yield Reason(
                    "expansion_failing",
                    f"{row.pause_reason} It is tried again every 30 s.",
                    {"expanded": row.expanded, "total": row.total},
                )
        if state is BackfillState.CANCELING:
            running = active.get("running", 0)
            yield Reason(
                "canceling",
                f"It is being canceled: {counted(running, standing.COUNTED, 'run')} told to stop "
                f"still {'runs' if running == 1 else 'run'}.",
                {"running": running},
            )
        yield from self._asking.coordinator()
        if state is BackfillState.RUNNING:
            found = backfill_waiting_for(
                self._asking.db, self._asking.conn, self._asking.settings, row.id
            )
            yield from (reasons.of_waiting(fact, of_run=False) for fact in found)
        yield from self._asking.listeners(row.queue or self._asking.settings.default_queue)
        if row.expanded_at is None and state is not BackfillState.CANCELING:
            yield from self._cannot_expand(row)
            yield Reason(
                "expanding",
                f"Its runs are being made: {row.expanded:,} of {row.total:,} partitions so far.",
                {"expanded": row.expanded, "total": row.total},
            )
        if state is BackfillState.RUNNING and row.canary_state in guards.GATED:
            yield self._asking.canary(row, "Its")
        elif state is BackfillState.RUNNING:
            yield from self._held_back(row)
        yield _progress(row, active)

    def _cannot_expand(self, row: Row[Any]) -> Iterator[Reason]:
        leader = standing.leader(self._asking.db, self._asking.conn)
        facts = {} if leader is None or not leader.leading else decoded(leader.facts) or {}
        error = facts.get("cannot_expand", {}).get(str(row.id))
        if error is not None:
            yield Reason(
                "expansion_failing",
                f"Its runs cannot be made yet, and that is tried again every 5 s: {error}",
                {"expanded": row.expanded, "total": row.total, "error": error},
            )

    def _held_back(self, row: Row[Any]) -> Iterator[Reason]:
        """Say what keeps its next run, and what of it is parked."""
        newest = row.ordering == "newest"
        ready = standing.first_ready(self._asking.db, self._asking.conn, row.id, newest=newest)
        if ready is not None:
            run = standing.run_standing(self._asking.db, self._asking.conn, ready)
            if run is not None and run.state == RunState.PENDING:
                yield from (r for r in self._asking.in_line(run) if r.code != "in_line")
        for group in standing.parked(self._asking.db, self._asking.conn, row.id):
            run = standing.run_standing(self._asking.db, self._asking.conn, group.first)
            n = counted(group.n, standing.COUNTED, "run")
            wait = "waits" if group.n == 1 else "wait"
            if group.waits_behind and run is not None and run.waiting_run is not None:
                first = behind_holder(run)
                text = f"{n} of it {wait} for partitions held by others, such as run {run.id}: "
                yield Reason(
                    "waiting_for_partitions",
                    text + first.sentence[0].lower() + first.sentence[1:],
                    {"runs": group.n, "run": run.id, **first.facts},
                )
            elif not group.waits_behind:
                until = moment(group.next_at)
                yield Reason(
                    "waiting_for_retries",
                    f"{n} of it {wait} for a later time, the first until {until}.",
                    {"runs": group.n, "next_at": until},
                )

    def _ended(self, row: Row[Any]) -> Reason:
        at = moment(row.finished_at)
        facts: dict[str, Any] = {"finished_at": at, "failed": row.failed}
        worst = None
        if row.state != BackfillState.SUCCEEDED:
            worst = standing.commonest_failure(self._asking.db, self._asking.conn, row.id)
        if worst is None:
            return Reason(row.state, f"It ended as {row.state} at {at}.", facts)
        where = f" in step {worst.failed_step}" if worst.failed_step else ""
        facts |= {"error": worst.error_type, "step": worst.failed_step, "run": worst.run_id}
        return Reason(
            row.state,
            f"It ended as {row.state} at {at}; most often {worst.error_type}{where} "
            f"({worst.n:,} of its newest failures, the last in run {worst.run_id}).",
            facts,
        )


EXPANSION_FAILED = "Its partitions could not be expanded"


def _progress(row: Row[Any], active: dict[str, int]) -> Reason:
    running, queued = active.get("running", 0), active.get("queued", 0)
    pending = max(row.pending, 0) + max(row.total - row.expanded, 0)
    if not (running or queued or pending) and row.expanded_at is not None:
        return Reason("settling", "Every run of it has ended; it is finished within seconds.")
    limit = "" if row.max_active_runs is None else f" (its limit: {row.max_active_runs} at a time)"
    return Reason(
        "working",
        f"It goes on: {running:,} running and {queued:,} queued{limit}, {pending:,} pending.",
        {"running": running, "queued": queued, "pending": pending},
    )
