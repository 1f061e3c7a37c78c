"""Explaining: why a run or a backfill stands where it stands, from facts in the database.

A bounded number of statements, each of a few rows, however much is pending.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, Row

from backfill.errors import NotFound
from backfill.lifecycle import guards, reasons
from backfill.lifecycle.admission.waiting import backfill_waiting_for, waiting_for
from backfill.lifecycle.reasons import Reason, Why, ago, counted, listed, moment
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
            raise NotFound(f"No run {run_id}. `backfill runs` shows those there are.")
        asking = _Asking(db, conn, settings)
        return Why("run", run_id, run.state, tuple(asking.of_run(run)))


def why_backfill(db: Database, settings: Settings, backfill_id: int) -> Why:
    """Say why a backfill stands where it stands.

    Raises:
        NotFound: There is no such backfill.
    """
    with db.read() as conn:
        row = standing.backfill_standing(db, conn, backfill_id)
        if row is None:
            raise NotFound(f"No backfill {backfill_id}. `backfill list` shows those there are.")
        asking = _Asking(db, conn, settings)
        return Why("backfill", backfill_id, row.state, tuple(asking.of_backfill(row)))


class _Asking:
    """Asks the database about one run or backfill."""

    def __init__(self, db: Database, conn: Connection, settings: Settings) -> None:
        self._db = db
        self._conn = conn
        self._settings = settings
        self._silence_us = int(settings.lease_seconds * 1e6)

    # -- runs ---------------------------------------------------------------------------------

    def of_run(self, run: Row[Any]) -> Iterator[Reason]:
        state = RunState(run.state)
        told: dict[RunState, Callable[[Row[Any]], Iterator[Reason]]] = {
            RunState.PENDING: self._pending,
            RunState.QUEUED: self._queued,
            RunState.RUNNING: self._running,
        }
        yield from told.get(state, _final)(run)

    def _pending(self, run: Row[Any]) -> Iterator[Reason]:
        yield from self._held_by_backfill(run)
        listeners = self._listeners(self._queue(run))
        if run.ready:
            yield from self._coordinator()
            yield from self._behind_canary(run)
            yield from self._waiting(run)
            yield from listeners
            yield from self._in_line(run)
        else:
            yield from self._waiting(run)
            yield from self._parked(run)
            yield from self._coordinator()
            yield from listeners

    def _waiting(self, run: Row[Any]) -> Iterator[Reason]:
        """Say what admission waits for: pools, tags, hours, the partition before."""
        facts = waiting_for(self._db, self._conn, self._settings, run.id)
        yield from (reasons.of_waiting(fact) for fact in facts)

    def _held_by_backfill(self, run: Row[Any]) -> Iterator[Reason]:
        if run.backfill_state == BackfillState.PAUSED:
            yield self._paused(run.backfill_id, run.pause_reason, "Its backfill")
        elif run.backfill_state == BackfillState.CANCELING:
            yield Reason(
                "canceling",
                f"Its backfill {run.backfill_id} is being canceled, and it with it.",
                {"backfill": run.backfill_id},
            )

    def _behind_canary(self, run: Row[Any]) -> Iterator[Reason]:
        if run.canary_state in guards.GATED and run.sort >= guards.GATE:
            backfill = standing.backfill_standing(self._db, self._conn, run.backfill_id)
            assert backfill is not None
            yield self._canary(backfill, "Its backfill's")

    def _canary(self, backfill: Row[Any], whose: str) -> Reason:
        """Say how far the canary of a backfill is."""
        stand = guards.canary_stand(self._db, self._conn, backfill)
        of = stand.of or backfill.canary
        facts = {
            "backfill": backfill.id,
            "succeeded": stand.succeeded,
            "failed": stand.bad,
            "of": of,
            "percent": backfill.canary_percent,
        }
        needed = "all" if backfill.canary_percent == 100 else f"{backfill.canary_percent} percent"
        return Reason(
            "waiting_for_canary",
            f"{whose} canary goes first: {stand.succeeded} of {of} succeeded, {stand.bad} failed, "
            f"and {needed} must before the rest starts.",
            facts,
        )

    def _paused(self, backfill_id: int, reason: str, whose: str) -> Reason:
        event = standing.who_paused(self._db, self._conn, backfill_id)
        actor = event.actor if event is not None else None
        since = None if event is None else moment(event.at)
        by = f" by {actor}" if actor else ""
        at = f" since {since}" if since else ""
        return Reason(
            "paused",
            f"{whose} is paused{by}{at}: {reason}",
            {"backfill": backfill_id, "reason": reason, "by": actor, "since": since},
        )

    def _parked(self, run: Row[Any]) -> Iterator[Reason]:
        if run.waiting_run is not None:
            yield _behind_holder(run)
        elif run.available_at > run.now:
            yield self._later(run)
        else:
            yield Reason("due", "It is due, and taken up within a second.")

    def _later(self, run: Row[Any]) -> Reason:
        last = standing.last_attempt(self._db, self._conn, run.id) if run.attempt else None
        until = moment(run.available_at)
        facts: dict[str, Any] = {"until": until}
        if last is None:
            return Reason("waiting_for_time", f"It waits until {until}.", facts)
        why = (last.reason or "it gave no reason").rstrip(".")
        facts |= {"attempt": last.attempt, "ending": last.ending, "reason": last.reason}
        if last.ending == "released":
            return Reason("handed_back", self._handed_back(run, why, until, facts), facts)
        ended = "was lost" if last.ending == "lost" else "failed"
        facts |= {"failures": run.failures, "max_failures": run.max_failures}
        text = f"It waits for its retry until {until}: attempt {last.attempt} {ended}: {why}."
        return Reason("waiting_for_retry", text, facts)

    def _handed_back(self, run: Row[Any], why: str, until: str, facts: dict[str, Any]) -> str:
        workers = self._workers()
        theirs = reasons.versions_of(workers, self._queue(run))
        text = f"A worker handed it back: {why}. It is tried again at {until}."
        if run.code_version and theirs and run.code_version not in theirs:
            facts |= {"code_version": run.code_version, "worker_versions": theirs}
            text += (
                f" The backfill was submitted with code {run.code_version}, the workers run "
                f"{listed(theirs)}."
            )
        return text

    def _in_line(self, run: Row[Any]) -> Iterator[Reason]:
        db, conn, queue = self._db, self._conn, self._queue(run)
        if run.backfill_id is not None:
            yield from self._at_limit(run.backfill_id, run.max_active_runs)
        default = self._settings.default_queue
        higher = standing.higher_backfills(db, conn, run.priority or 0, queue, default)
        if higher:
            names = listed([f"{row.id} (priority {row.priority})" for row in higher])
            yield Reason(
                "behind_priority",
                f"It is behind backfills of higher priority than its {run.priority or 0}: {names}.",
                {
                    "priority": run.priority or 0,
                    "backfills": {str(row.id): row.priority for row in higher},
                },
            )
        before = standing.ready_before(db, conn, run)
        whose = "of its backfill" if run.backfill_id is not None else "without a backfill"
        load = standing.queue_load(db, conn, queue, default, None)
        facts = {
            "before": before,
            "queue": queue,
            "queued": int(load.queued),
            "running": int(load.running),
        }
        first = counted(before, standing.COUNTED, "run") if before else "nothing"
        yield Reason(
            "in_line",
            f'It is in line: {first} {whose} before it; queue "{queue}" has {load.running} running '
            f"and {load.queued} queued.",
            facts,
        )

    def _at_limit(self, backfill_id: int, limit: int | None) -> Iterator[Reason]:
        if limit is None:
            return
        active = sum(standing.active_by_state(self._db, self._conn, backfill_id).values())
        if active >= limit:
            holders = standing.busiest_holders(self._db, self._conn, backfill_id)
            held = listed([f"run {row.id} ({row.partition})" for row in holders])
            yield Reason(
                "own_limit",
                f"Its backfill runs at most {limit} at a time, and {active} are active: {held}.",
                {
                    "backfill": backfill_id,
                    "max_active_runs": limit,
                    "active": active,
                    "held_by": [row.id for row in holders],
                },
            )

    def _queued(self, run: Row[Any]) -> Iterator[Reason]:
        queue = self._queue(run)
        yield from self._coordinator()
        yield from self._listeners(queue)
        default = self._settings.default_queue
        load = standing.queue_load(self._db, self._conn, queue, default, run.queued_at)
        slots = sum(w["slots"] for w in self._workers() if queue in w["queues"])
        before = int(load.before_it)
        yield Reason(
            "queued",
            f'It is queued in "{queue}" since {moment(run.queued_at)}, '
            f"{counted(before, standing.COUNTED, 'run') if before else 'nothing'} before it; "
            f"{load.running} run on {slots} slots.",
            {"queue": queue, "before": before, "running": int(load.running), "slots": slots},
        )

    def _running(self, run: Row[Any]) -> Iterator[Reason]:
        worker = run.worker_name or "a worker"
        if run.cancel_requested_at is not None:
            yield Reason(
                "stopping",
                f"It was told to stop at {moment(run.cancel_requested_at)}; its worker {worker} "
                "stops it at the next call of its context, or ends its process.",
                {"worker": worker, "asked_at": moment(run.cancel_requested_at)},
            )
        if run.lease_expires_at < run.now:
            yield Reason(
                "lease_expired",
                f"Its worker {worker} says nothing since "
                f"{ago(run.now, run.lease_expires_at - self._silence_us)}; it is taken back and "
                "tried again.",
                {"worker": worker, "lease_expired_at": moment(run.lease_expires_at)},
            )
        steps = standing.running_steps(self._db, self._conn, run.id, run.attempt)
        names = [step.step for step in steps]
        since = moment(steps[0].started_at if steps and steps[0].started_at else run.started_at)
        what = f"step {listed(names)}" if names else "between two steps"
        waits = next((step for step in steps if step.state == "retrying"), None)
        facts = {"worker": worker, "steps": names, "since": since, "attempt": run.attempt}
        if waits is not None:
            text = (
                f"Step {waits.step} failed {waits.tries} times and waits for its retry on {worker}."
            )
            yield Reason("step_retrying", text, facts | {"tries": waits.tries})
        yield Reason("running", f"It runs: {what} on {worker} since {since}.", facts)

    # -- backfills ----------------------------------------------------------------------------

    def of_backfill(self, row: Row[Any]) -> Iterator[Reason]:
        state = BackfillState(row.state)
        if state in BACKFILL_FINAL:
            yield self._ended(row)
            return
        active = standing.active_by_state(self._db, self._conn, row.id)
        if state is BackfillState.PAUSED:
            yield self._paused(row.id, row.pause_reason, "It")
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
        yield from self._coordinator()
        if state is BackfillState.RUNNING:
            found = backfill_waiting_for(self._db, self._conn, self._settings, row.id)
            yield from (reasons.of_waiting(fact, of_run=False) for fact in found)
        yield from self._listeners(row.queue or self._settings.default_queue)
        if row.expanded_at is None and state is not BackfillState.CANCELING:
            yield from self._cannot_expand(row)
            yield Reason(
                "expanding",
                f"Its runs are being made: {row.expanded:,} of {row.total:,} partitions so far.",
                {"expanded": row.expanded, "total": row.total},
            )
        if state is BackfillState.RUNNING and row.canary_state in guards.GATED:
            yield self._canary(row, "Its")
        elif state is BackfillState.RUNNING:
            yield from self._held_back(row)
        yield _progress(row, active)

    def _cannot_expand(self, row: Row[Any]) -> Iterator[Reason]:
        leader = standing.leader(self._db, self._conn)
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
        ready = standing.first_ready(self._db, self._conn, row.id, newest=newest)
        if ready is not None:
            run = standing.run_standing(self._db, self._conn, ready)
            if run is not None and run.state == RunState.PENDING:
                yield from (r for r in self._in_line(run) if r.code != "in_line")
        for group in standing.parked(self._db, self._conn, row.id):
            run = standing.run_standing(self._db, self._conn, group.first)
            n = counted(group.n, standing.COUNTED, "run")
            wait = "waits" if group.n == 1 else "wait"
            if group.waits_behind and run is not None and run.waiting_run is not None:
                first = _behind_holder(run)
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
            worst = standing.commonest_failure(self._db, self._conn, row.id)
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

    # -- the machinery ------------------------------------------------------------------------

    def _coordinator(self) -> Iterator[Reason]:
        """Say what keeps everything from going on."""
        reason = reasons.of_coordinator(standing.leader(self._db, self._conn))
        if reason is not None:
            yield reason

    def _listeners(self, queue: str) -> Iterator[Reason]:
        """Say what of broker and workers keeps what is admitted from being done."""
        db, conn = self._db, self._conn
        found = (
            reasons.of_broker(standing.broker_answer(db, conn, queue)),
            reasons.of_workers(self._workers(), queue),
        )
        yield from (reason for reason in found if reason is not None)

    def _workers(self) -> list[dict[str, Any]]:
        return standing.living_workers(self._db, self._conn, silence_us=self._silence_us)

    def _queue(self, run: Row[Any]) -> str:
        return str(run.queue or run.backfill_queue or self._settings.default_queue)


EXPANSION_FAILED = "Its partitions could not be expanded"


def _behind_holder(run: Row[Any]) -> Reason:
    of = f" of backfill {run.holder_backfill}" if run.holder_backfill is not None else ""
    since = f" since {moment(run.holder_started_at)}" if run.holder_started_at else ""
    facts = {
        "partition_set": run.set_name,
        "partition": run.partition,
        "held_by": run.waiting_run,
        "backfill": run.holder_backfill,
        "holder_state": run.holder_state,
    }
    return Reason(
        "waiting_for_partition",
        f'Partition "{run.partition}" is held by run {run.waiting_run}{of}, which is '
        f"{run.holder_state}{since}.",
        facts,
    )


def _final(run: Row[Any]) -> Iterator[Reason]:
    at = moment(run.finished_at)
    why = run.error_message or run.reason
    where = f" in step {run.failed_step}" if run.failed_step else ""
    text = f"It {_ENDED[RunState(run.state)]}{where} at {at}" + (f": {why}" if why else ".")
    facts = {"finished_at": at, "reason": why, "step": run.failed_step, "error": run.error_type}
    yield Reason(run.state, text, facts)


_ENDED = {
    RunState.SUCCEEDED: "succeeded",
    RunState.FAILED: "failed",
    RunState.CANCELED: "was canceled",
    RunState.SKIPPED: "was skipped",
}


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
