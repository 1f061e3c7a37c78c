"""Every move from every state: from its sources it moves, from any other nothing happens at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from backfill.errors import Conflict
from backfill.execution.outcomes import ErrorInfo, RunEnd, RunOutcome
from backfill.lifecycle import backfills, moves
from backfill.lifecycle.moves import Claim, Report
from backfill.states import BackfillMove, BackfillState, RunMove, RunState
from tests.support.house import SECOND, House

Perform = Callable[[House, int], object]
Bring = Callable[[House], int]

WATCHED = ("runs", "backfills", "attempts", "partition_holds", "step_outcomes", "feed", "events")
ERROR = ErrorInfo("ValueError", "no", "Traceback: no")


# -- runs: how to bring one into a state ----------------------------------------------------------


def _fresh(house: House) -> int:
    """Return the run of a backfill over one partition that no other run of the house has."""
    number = house.row("SELECT count(*) AS n FROM runs").n
    backfill_id = house.submit(f"day-{number:02}")
    house.expand(backfill_id)
    return int(house.row("SELECT id FROM runs WHERE backfill_id = :id", id=backfill_id).id)


def _admit(house: House, run_id: int) -> None:
    """Admit one run, and take its hold as admission does."""
    row = house.run(run_id)
    admission = moves.Admission(run_id, f"message-{run_id}", 1)

    def work(conn: Any) -> None:
        if moves.admit(house.db, conn, [admission], publish_again_us=30 * SECOND):
            conn.execute(
                house.db.sql(
                    "INSERT INTO partition_holds (set_id, partition, run_id) "
                    "VALUES (:set, :partition, :run) ON CONFLICT DO NOTHING"
                ),
                {"set": row.set_id, "partition": row.partition, "run": run_id},
            )

    house.db.transact(work)


def _claim_of(house: House, run_id: int) -> Claim:
    """Return the claim on a run as its row has it, even when it is over."""
    row = house.run(run_id)
    return Claim(run_id, row.attempt, row.token or 1)


def _record(house: House, run_id: int, end: RunEnd, **facts: Any) -> moves.Recorded:
    error = ERROR if end in (RunEnd.FAILED, RunEnd.RETRY) else None
    outcome = RunOutcome(end, error=error, **facts)
    return house.record(Report(_claim_of(house, run_id), outcome=outcome))


def pending(house: House) -> int:
    return _fresh(house)


def parked(house: House) -> int:
    run_id = _fresh(house)
    house.db.transact(
        lambda conn: moves.park_behind(house.db, conn, [(run_id, 10**6)], check_again_us=SECOND)
    )
    return run_id


def queued(house: House) -> int:
    run_id = _fresh(house)
    _admit(house, run_id)
    return run_id


def running(house: House) -> int:
    run_id = queued(house)
    house.claim([run_id])
    return run_id


def retrying(house: House) -> int:
    run_id = running(house)
    _record(house, run_id, RunEnd.RETRY, retry_in_seconds=3600.0)
    return run_id


def succeeded(house: House) -> int:
    run_id = running(house)
    _record(house, run_id, RunEnd.SUCCEEDED)
    return run_id


def failed(house: House) -> int:
    run_id = running(house)
    _record(house, run_id, RunEnd.FAILED)
    return run_id


def canceled(house: House) -> int:
    run_id = running(house)
    _record(house, run_id, RunEnd.CANCELED)
    return run_id


def skipped(house: House) -> int:
    run_id = _fresh(house)
    _skip(house, run_id)
    return run_id


PLACES: dict[Bring, RunState] = {
    pending: RunState.PENDING,
    parked: RunState.PENDING,
    retrying: RunState.PENDING,
    queued: RunState.QUEUED,
    running: RunState.RUNNING,
    succeeded: RunState.SUCCEEDED,
    failed: RunState.FAILED,
    canceled: RunState.CANCELED,
    skipped: RunState.SKIPPED,
}


# -- runs: how to perform each move ---------------------------------------------------------------


def _claim(house: House, run_id: int) -> None:
    house.claim([run_id])


def _recall(house: House, run_id: int) -> None:
    backfill_id = house.run(run_id).backfill_id
    house.db.transact(lambda conn: moves.recall(house.db, conn, backfill_id))


def _release(house: House, run_id: int) -> None:
    tokens = [_claim_of(house, run_id).token]
    house.db.transact(lambda conn: moves.release(house.db, conn, tokens, reason="bye"))


def _reap(house: House, max_crashes: int) -> None:
    house.advance(house.settings.lease_seconds + 1)
    house.db.transact(lambda conn: moves.reap(house.db, conn, max_crashes=max_crashes, limit=9))


def _lose(house: House, run_id: int, max_crashes: int) -> None:
    tokens = [_claim_of(house, run_id).token]
    house.db.transact(lambda conn: moves.lose(house.db, conn, tokens, max_crashes=max_crashes))


def _stop(house: House, run_id: int) -> None:
    claim = _claim_of(house, run_id)
    house.db.transact(lambda conn: moves.stop(house.db, conn, [claim], reason="ended"))


def _cancel(house: House, run_id: int) -> None:
    where, params = "id = :run", {"run": run_id}

    def work(conn: Any) -> None:
        moves.cancel_pending(house.db, conn, where=where, params=params, reason="no", limit=9)
        moves.cancel_queued(house.db, conn, where=where, params=params, reason="no")

    house.db.transact(work)


def _skip(house: House, run_id: int) -> None:
    house.db.transact(lambda conn: moves.skip_pending(house.db, conn, [run_id], reason="gone"))


@dataclass(frozen=True)
class Performer:
    """One way a move is done; `not_from` names places its guards keep out beside the sources."""

    move: RunMove
    way: str
    perform: Perform
    not_from: frozenset[Bring] = frozenset()

    def __str__(self) -> str:
        return f"{self.move.name}-{self.way}"


PERFORMERS = [
    Performer(RunMove.ADMIT, "admission", _admit, frozenset({parked, retrying})),
    Performer(RunMove.RECALL, "pause", _recall),
    Performer(RunMove.CLAIM, "worker", _claim),
    Performer(RunMove.SUCCEED, "report", lambda h, r: _record(h, r, RunEnd.SUCCEEDED)),
    Performer(RunMove.FAIL, "report", lambda h, r: _record(h, r, RunEnd.FAILED)),
    Performer(
        RunMove.RETRY_LATER,
        "report",
        lambda h, r: _record(h, r, RunEnd.RETRY, retry_in_seconds=5.0),
    ),
    Performer(RunMove.RELEASE, "report", lambda h, r: _record(h, r, RunEnd.RELEASED)),
    Performer(RunMove.RELEASE, "warden", _release),
    Performer(RunMove.LOSE, "reaper", lambda h, r: _reap(h, 3)),
    Performer(RunMove.LOSE, "warden", lambda h, r: _lose(h, r, 3)),
    Performer(RunMove.LOSE_FINALLY, "reaper", lambda h, r: _reap(h, 1)),
    Performer(RunMove.LOSE_FINALLY, "warden", lambda h, r: _lose(h, r, 1)),
    Performer(RunMove.STOP, "report", lambda h, r: _record(h, r, RunEnd.CANCELED)),
    Performer(RunMove.STOP, "warden", _stop),
    Performer(RunMove.CANCEL, "operator", _cancel),
    Performer(RunMove.SKIP, "drift", _skip),
    Performer(RunMove.LEAVE_OUT, "report", lambda h, r: _record(h, r, RunEnd.SKIPPED)),
]


def test_every_move_of_a_run_has_a_performer_here() -> None:
    assert {p.move for p in PERFORMERS} == set(RunMove)
    assert set(PLACES.values()) == set(RunState)


@pytest.mark.parametrize("performer", PERFORMERS, ids=str)
def test_a_run_moves_only_from_the_sources_of_the_move(house: House, performer: Performer) -> None:
    for bring, state in PLACES.items():
        run_id = bring(house)
        assert house.state(run_id) is state, bring.__name__
        before = everything(house)
        performer.perform(house, run_id)
        if state in performer.move.sources and bring not in performer.not_from:
            assert house.state(run_id) is performer.move.target, bring.__name__
            assert everything(house)["feed"] > before["feed"], "a move is told"
        else:
            assert everything(house) == before, bring.__name__
        assert house.sick() == [], bring.__name__


def everything(house: House) -> dict[str, list[Any]]:
    """Return all rows a move could touch."""
    return {table: [tuple(r) for r in house.rows(f"SELECT * FROM {table}")] for table in WATCHED}


# -- backfills ------------------------------------------------------------------------------------


def _requested(house: House) -> int:
    return house.submit("day-01")


def _running(house: House) -> int:
    return house.ready(2)


def _paused(house: House) -> int:
    backfill_id = house.ready(2)
    house.pause(backfill_id)
    return backfill_id


def _canceling(house: House) -> int:
    backfill_id = house.ready(2)
    house.cancel(backfill_id)
    return backfill_id


def _canceled(house: House) -> int:
    backfill_id = house.ready(2)
    house.cancel_all(backfill_id)
    assert house.settle(backfill_id) is BackfillState.CANCELED
    return backfill_id


def _ended(house: House, end: RunEnd) -> int:
    backfill_id = _fresh_backfill(house)
    run_id = house.row("SELECT id FROM runs WHERE backfill_id = :id", id=backfill_id).id
    _admit(house, run_id)
    house.claim([run_id])
    _record(house, run_id, end)
    house.settle(backfill_id)
    return backfill_id


def _fresh_backfill(house: House) -> int:
    return int(house.run(_fresh(house)).backfill_id)


BACKFILL_PLACES: dict[BackfillState, Bring] = {
    BackfillState.REQUESTED: _requested,
    BackfillState.RUNNING: _running,
    BackfillState.PAUSED: _paused,
    BackfillState.CANCELING: _canceling,
    BackfillState.CANCELED: _canceled,
    BackfillState.SUCCEEDED: lambda house: _ended(house, RunEnd.SUCCEEDED),
    BackfillState.FAILED: lambda house: _ended(house, RunEnd.FAILED),
}


@pytest.mark.parametrize("move", BackfillMove, ids=lambda m: m.name)
def test_a_backfill_moves_only_from_the_sources_of_the_move(
    house: House, move: BackfillMove
) -> None:
    reason = "why" if move is BackfillMove.PAUSE else None
    for state, bring in BACKFILL_PLACES.items():
        backfill_id = bring(house)
        assert house.backfill(backfill_id).state == state
        before = everything(house)
        moved, became, told = _tried(house, backfill_id, move, reason)
        assert everything(house) == before, "it was taken back"
        assert moved is (state in move.sources), state
        assert became == (move.target if moved else state), state
        assert told == len(before["feed"]) + moved


def _tried(
    house: House, backfill_id: int, move: BackfillMove, reason: str | None
) -> tuple[bool, str, int]:
    """Do a bare move, look, and take it back: it does not ask what the verbs ask."""
    with house.db.write() as conn:
        moved = moves.move_backfill(house.db, conn, backfill_id, move, pause_reason=reason)
        state = conn.execute(
            house.db.sql("SELECT state FROM backfills WHERE id = :id"), {"id": backfill_id}
        ).scalar_one()
        told = conn.execute(house.db.sql("SELECT count(*) FROM feed")).scalar_one()
        conn.rollback()
    return moved, state, told


def test_verbs_say_which_state_forbids_them(house: House) -> None:
    done = _ended(house, RunEnd.SUCCEEDED)
    paused = _paused(house)
    with pytest.raises(Conflict, match=f"Backfill {done} cannot be canceled: it is succeeded"):
        house.cancel(done)
    with pytest.raises(Conflict, match=f"Backfill {paused} cannot be paused: it is already paused"):
        house.pause(paused)
    with pytest.raises(Conflict, match="cannot be resumed"):
        house.resume(done)
    assert backfills.settle(house.db, done) is None
