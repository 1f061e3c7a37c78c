"""Succeeding: attempts that went well, recorded in one statement and one round trip.

Most reports say the same: the first attempt of a run, told whole, ended well. Nothing has to be
decided about them, so PostgreSQL locks their runs by the fence, writes what becomes of those it
found, and says in the feed what it wrote. Everything else goes the long way of `recording`; so
does SQLite, where a statement costs no trip.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from backfill.execution.outcomes import RunEnd
from backfill.lifecycle.moves.deciding import Report
from backfill.lifecycle.moves.feed import FEED_LIST_LIMIT
from backfill.lifecycle.moves.steps import LOG_SHAPE, STEP_SHAPE, log_values, step_values
from backfill.states import RunMove, RunState
from backfill.storage.database import Database, to_json

_SHAPE = {
    "id": "bigint",
    "attempt": "int",
    "token": "bigint",
    "busy": "bigint",
    "version": "text",
    "run_config": "text",
}
_STEPS = ("run_id", "attempt", "step", "state", "tries", "started_at", "finished_at", "reason")
_LOGS = ("run_id", "attempt", "step", "at", "level", "message")


def is_plain(report: Report) -> bool:
    """Tell whether a report says no more than that a first attempt went well."""
    outcome = report.outcome
    return (
        outcome is not None
        and outcome.end is RunEnd.SUCCEEDED
        and report.whole
        and report.claim.attempt == 1
        and not report.errors
        and not report.hook_errors
    )


def succeed(db: Database, conn: Connection, reports: Sequence[Report]) -> set[int]:
    """SUCCEED: running -> succeeded, fenced, with steps and log lines; their holds are freed.

    Locks in the order of the ids, as all of recording does. PostgreSQL only.

    Args:
        reports: Plain ones, at most one per run and FEED_LIST_LIMIT of them.

    Returns:
        The runs that succeeded; the others are not theirs any more.
    """
    assert db.postgres
    assert len(reports) <= FEED_LIST_LIMIT
    steps = [step_values(r, s) for r in reports for s in r.steps]
    logs = log_values(reports)
    params = {
        "ids": db.ints(r.claim.run_id for r in reports),
        "f": to_json([_values(r) for r in reports]),
        "s": to_json(steps),
    }
    if logs:
        params["l"] = to_json(logs)
    rows = conn.execute(db.sql(_statement(db, with_logs=bool(logs))), params).all()
    assert not rows or rows[0].moved == len(rows), "a locked row moved under its lock"
    return {row.id for row in rows}


def _values(report: Report) -> dict[str, object]:
    assert report.outcome is not None
    values: dict[str, object] = {
        "id": report.claim.run_id,
        "attempt": report.claim.attempt,
        "token": report.claim.token,
        "busy": report.busy_us,
    }
    if report.version is not None:
        values["version"] = report.version
    if report.outcome.run_config:
        values["run_config"] = to_json(report.outcome.run_config)
    return values


def _statement(db: Database, *, with_logs: bool) -> str:
    """Render it: the runs are found by their ids alone, in the order of the index.

    Joined with the reports before they are locked, all runs would be read for the sake of the
    order where sorting is off.
    """
    source, target = RunState.RUNNING.value, RunMove.SUCCEED.target.value
    running = db.checked(f"runs.state = '{source}'")
    members = [
        "locked AS MATERIALIZED (SELECT id, attempt, token, backfill_id, set_id, partition, "
        f"pipeline_id FROM runs WHERE {db.one_of('id', 'ids')} AND {running} ORDER BY id "
        "FOR UPDATE)",
        "held AS MATERIALIZED (SELECT locked.*, f.busy, f.version, f.run_config "
        f"FROM {db.records('f', _SHAPE)} JOIN locked ON locked.id = f.id "
        "AND locked.attempt = f.attempt AND locked.token = f.token)",
        f"moved AS (UPDATE runs SET state = '{target}', lease_expires_at = NULL, ready = false, "
        "finished_at = {now}, reason = NULL, failed_step = NULL, error_type = NULL, "
        "error_message = NULL, error_key = NULL, "
        "run_config = coalesce(CAST(held.run_config AS json), runs.run_config), "
        "version = coalesce(held.version, runs.version) "
        f"FROM held WHERE runs.id = held.id AND {running} RETURNING runs.id)",
        f"stepped AS (INSERT INTO step_outcomes ({', '.join(_STEPS)}, metadata, outputs) "
        f"SELECT {', '.join('s.' + c for c in _STEPS)}, CAST(s.metadata AS json), "
        f"CAST(s.outputs AS json) FROM {db.records('s', STEP_SHAPE)} "
        "WHERE s.run_id IN (SELECT id FROM held) RETURNING run_id, step, state)",
        "freed AS (DELETE FROM partition_holds WHERE run_id = ANY(ARRAY(SELECT id FROM held)))",
    ]
    if with_logs:
        members.append(
            f"logged AS (INSERT INTO log_lines ({', '.join(_LOGS)}) "
            f"SELECT {', '.join('l.' + c for c in _LOGS)} FROM {db.records('l', LOG_SHAPE)} "
            "WHERE l.run_id IN (SELECT id FROM held) RETURNING run_id)"
        )
    members.append(f"told AS ({_told(db, source, target, with_logs=with_logs)})")
    return f"WITH {', '.join(members)} SELECT id, (SELECT count(*) FROM moved) AS moved FROM held"


def _told(db: Database, source: str, target: str, *, with_logs: bool) -> str:
    """Render the feed row of these runs, with the time they took and their steps."""
    work = (
        "SELECT coalesce(json_object_agg(p, json_build_array(n, us)), '{}') FROM "
        "(SELECT pipeline_id AS p, count(*) AS n, sum(busy) AS us FROM held WHERE busy > 0 "
        "GROUP BY pipeline_id) AS w"
    )
    steps = "SELECT coalesce(json_agg(json_build_array(run_id, step, state)), '[]') FROM stepped"
    more = {"work": work, "steps": steps}
    if with_logs:
        more["logs"] = "SELECT coalesce(json_agg(DISTINCT run_id), '[]') FROM logged"
    return db.told_of("held", source, target, more)
