"""Asking: why a run stands where it stands, and what keeps everything from going on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, Row

from backfill.lifecycle import guards, reasons
from backfill.lifecycle.admission.waiting import waiting_for
from backfill.lifecycle.reasons import Reason, ago, counted, listed, moment
from backfill.settings import Settings
from backfill.states import BackfillState, RunState
from backfill.storage.database import Database
from backfill.storage.queries import standing


class Asking:
    """Asks the database about runs, and what stands in the way of all of them."""

    def __init__(self, db: Database, conn: Connection, settings: Settings) -> None:
        self.db = db
        self.conn = conn
        self.settings = settings
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
        listeners = self.listeners(self._queue(run))
        if run.ready:
            yield from self.coordinator()
            yield from self._behind_canary(run)
            yield from self._waiting(run)
            yield from listeners
            yield from self.in_line(run)
        else:
            yield from self._waiting(run)
            yield from self._parked(run)
            yield from self.coordinator()
            yield from listeners

    def _waiting(self, run: Row[Any]) -> Iterator[Reason]:
        """Say what admission waits for: pools, tags, hours, the partition before."""
        facts = waiting_for(self.db, self.conn, self.settings, run.id)
        yield from (reasons.of_waiting(fact) for fact in facts)

    def _held_by_backfill(self, run: Row[Any]) -> Iterator[Reason]:
        if run.backfill_state == BackfillState.PAUSED:
            yield self.paused(run.backfill_id, run.pause_reason, "Its backfill")
        elif run.backfill_state == BackfillState.CANCELING:
            yield Reason(
                "canceling",
                f"Its backfill {run.backfill_id} is being canceled, and it with it.",
                {"backfill": run.backfill_id},
            )

    def _behind_canary(self, run: Row[Any]) -> Iterator[Reason]:
        if run.canary_state in guards.GATED and run.sort >= guards.GATE:
            backfill = standing.backfill_standing(self.db, self.conn, run.backfill_id)
            assert backfill is not None
            yield self.canary(backfill, "Its backfill's")

    def canary(self, backfill: Row[Any], whose: str) -> Reason:
        """Say how far the canary of a backfill is."""
        stand = guards.canary_stand(self.db, self.conn, backfill)
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

    def paused(self, backfill_id: int, reason: str, whose: str) -> Reason:
        event = standing.who_paused(self.db, self.conn, backfill_id)
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
            yield behind_holder(run)
        elif run.available_at > run.now:
            yield self._later(run)
        else:
            yield Reason("due", "It is due, and taken up within a second.")

    def _later(self, run: Row[Any]) -> Reason:
        last = standing.last_attempt(self.db, self.conn, run.id) if run.attempt else None
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

    def in_line(self, run: Row[Any]) -> Iterator[Reason]:
        db, conn, queue = self.db, self.conn, self._queue(run)
        if run.backfill_id is not None:
            yield from self._at_limit(run.backfill_id, run.max_active_runs)
        default = self.settings.default_queue
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
        active = sum(standing.active_by_state(self.db, self.conn, backfill_id).values())
        if active >= limit:
            holders = standing.busiest_holders(self.db, self.conn, backfill_id)
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
        yield from self.coordinator()
        yield from self.listeners(queue)
        default = self.settings.default_queue
        load = standing.queue_load(self.db, self.conn, queue, default, run.queued_at)
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
        steps = standing.running_steps(self.db, self.conn, run.id, run.attempt)
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

    # -- the machinery ------------------------------------------------------------------------

    def coordinator(self) -> Iterator[Reason]:
        """Say what keeps everything from going on."""
        reason = reasons.of_coordinator(standing.leader(self.db, self.conn))
        if reason is not None:
            yield reason

    def listeners(self, queue: str) -> Iterator[Reason]:
        """Say what of broker and workers keeps what is admitted from being done."""
        db, conn = self.db, self.conn
        found = (
            reasons.of_broker(standing.broker_answer(db, conn, queue)),
            reasons.of_workers(self._workers(), queue),
        )
        yield from (reason for reason in found if reason is not None)

    def _workers(self) -> list[dict[str, Any]]:
        return standing.living_workers(self.db, self.conn, silence_us=self._silence_us)

    def _queue(self, run: Row[Any]) -> str:
        return str(run.queue or run.backfill_queue or self.settings.default_queue)


def behind_holder(run: Row[Any]) -> Reason:
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
