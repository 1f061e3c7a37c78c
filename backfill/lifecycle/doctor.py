"""The doctor: the invariants of the house as queries. What is not right is a finding.

Every rule holds at every moment between two transactions, whatever crashed: a finding is a bug of
ours or a hand in the database, never a matter of timing. All rules see one moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from backfill.states import (
    BACKFILL_FINAL,
    RUN_ACTIVE,
    RUN_FINAL,
    STEP_FINAL,
    AttemptEnd,
    BackfillState,
    RunState,
    StepState,
)
from backfill.storage.database import Database

LIMIT = 20


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be.

    Attributes:
        rule: The broken rule's name, such as `runs.once`.
        detail: What the rule says and how it is broken here.
    """

    rule: str
    detail: str
    backfill_id: int | None = None
    run_id: int | None = None


@dataclass(frozen=True)
class Rule:
    """An invariant.

    Attributes:
        says: The invariant, in words.
        breaks: A query of what breaks it: backfill_id, run_id, and `found` in words.
    """

    name: str
    says: str
    breaks: str


def check(db: Database, *, quiescent: bool = False, limit: int = LIMIT) -> list[Finding]:
    """Return what breaks an invariant; an empty list is a healthy database.

    Args:
        quiescent: Nothing is expected to be on its way any more: name what still is.
        limit: At most this many findings of each rule.
    """
    rules = RULES + QUIESCENT if quiescent else RULES
    with db.snapshot() as conn:
        return [finding for rule in rules for finding in _broken(db, conn, rule, limit)]


def _broken(db: Database, conn: Connection, rule: Rule, limit: int) -> Iterator[Finding]:
    params: dict[str, Any] = {"limit": limit}
    for row in conn.execute(db.sql(f"{rule.breaks} LIMIT :limit"), params):
        yield Finding(rule.name, f"{rule.says}: {row.found}", row.backfill_id, row.run_id)


def _in(*states: RunState | BackfillState | StepState | AttemptEnd) -> str:
    return "(" + ", ".join(sorted(f"'{state.value}'" for state in states)) + ")"


_FINAL = _in(*RUN_FINAL)
_ACTIVE = _in(*RUN_ACTIVE)
_BACKFILL_FINAL = _in(*BACKFILL_FINAL)
_STEP_FINAL = _in(*STEP_FINAL)
_ALL_FOLDED = (
    "NOT EXISTS (SELECT 1 FROM feed f WHERE NOT EXISTS (SELECT 1 FROM cursors c "
    "WHERE c.name = 'counts' AND (f.xid, f.id) <= (c.xid, c.id)))"
)
_COUNTS = " OR ".join(
    f"b.{s.value} <> coalesce(sum(CASE WHEN r.state = '{s.value}' THEN 1 ELSE 0 END), 0)"
    for s in RunState
)
_NEWER_STEP = (
    "SELECT 1 FROM step_outcomes n WHERE n.run_id = o.run_id AND n.step = o.step "
    "AND n.attempt > o.attempt"
)
_ARCHIVED = "(SELECT count(*) FROM attempts a WHERE a.run_id = r.id)"

_EXECUTED = (  # runs over a range are one
    "(count(CASE WHEN r.span IS NULL THEN 1 END) "
    "+ count(DISTINCT CASE WHEN r.span IS NOT NULL THEN r.message_id END))"
)

RULES = [
    Rule(
        "runs.once",
        "a backfill has one run of each partition it expanded, those of its canary before that, "
        "and all of them when it is done",
        "SELECT b.id AS backfill_id, NULL AS run_id, 'total ' || b.total || ', expanded ' || "
        "b.expanded || ', vanished ' || b.vanished || ', runs ' || count(r.id) AS found "
        "FROM backfills b LEFT JOIN runs r ON r.backfill_id = b.id AND r.generation = 0 "
        "GROUP BY b.id HAVING (CASE WHEN b.canary IS NOT NULL AND b.expanded_at IS NULL "
        "THEN count(r.id) + b.vanished NOT BETWEEN b.expanded AND b.expanded + b.canary "
        "ELSE b.expanded <> count(r.id) + b.vanished END) OR b.expanded > b.total "
        "OR (b.expanded_at IS NOT NULL AND b.expanded <> b.total AND b.generation = 0) "
        "OR count(r.id) <> count(DISTINCT r.partition)",
    ),
    Rule(
        "runs.in_line",
        "a backfill that goes one partition at a time has one active run",
        "SELECT b.id AS backfill_id, max(r.id) AS run_id, count(*) || ' are active' AS found "
        f"FROM backfills b JOIN runs r ON r.backfill_id = b.id AND r.state IN {_ACTIVE} "
        "WHERE b.sequential OR b.depends_on_previous GROUP BY b.id HAVING count(*) > 1",
    ),
    Rule(
        "runs.exclusive",
        "a partition of a set is never in the hands of two runs",
        "SELECT NULL AS backfill_id, max(id) AS run_id, 'partition ' || partition || ' of set ' "
        f"|| set_id || ' has ' || count(*) AS found FROM runs WHERE state IN {_ACTIVE} "
        "AND partition IS NOT NULL GROUP BY set_id, partition HAVING count(*) > 1",
    ),
    Rule(
        "runs.limited",
        "no run of a backfill is queued beyond what its limit allows",
        f"SELECT b.id AS backfill_id, NULL AS run_id, {_EXECUTED} || ' of ' || b.max_active_runs "
        "AS found FROM backfills b JOIN runs r ON r.backfill_id = b.id "
        f"WHERE r.state IN {_ACTIVE} AND b.max_active_runs IS NOT NULL "
        "GROUP BY b.id, b.max_active_runs "
        f"HAVING {_EXECUTED} > b.max_active_runs "
        "AND sum(CASE WHEN r.state = 'queued' THEN 1 ELSE 0 END) > 0",
    ),
    Rule(
        "runs.queued",
        "a queued run is in a message, and its backfill is running",
        "SELECT r.backfill_id, r.id AS run_id, 'backfill ' || coalesce(b.state, 'none') AS found "
        "FROM runs r LEFT JOIN backfills b ON b.id = r.backfill_id WHERE r.state = 'queued' AND ("
        "r.message_id IS NULL OR (r.backfill_id IS NOT NULL AND coalesce(b.state, '') <> "
        "'running'))",
    ),
    Rule(
        "runs.leased",
        "a running run has an attempt, a token and a start, and what its backfill gave up is told",
        "SELECT r.backfill_id, r.id AS run_id, 'attempt ' || r.attempt || ', backfill ' || "
        "coalesce(b.state, 'none') AS found FROM runs r LEFT JOIN backfills b "
        "ON b.id = r.backfill_id WHERE r.state = 'running' AND (r.attempt < 1 OR r.token IS NULL "
        "OR r.started_at IS NULL OR (b.state = 'canceling' AND r.cancel_requested_at IS NULL))",
    ),
    Rule(
        "runs.told_to_stop",
        "a run told to stop does not go on: it runs, was canceled, or had just succeeded",
        "SELECT backfill_id, id AS run_id, state AS found FROM runs "
        "WHERE cancel_requested_at IS NOT NULL "
        f"AND state NOT IN {_in(RunState.RUNNING, RunState.CANCELED, RunState.SUCCEEDED)}",
    ),
    Rule(
        "runs.parked",
        "only a pending run that is not ready waits for another",
        "SELECT backfill_id, id AS run_id, state || ' behind ' || waiting_run AS found FROM runs "
        "WHERE waiting_run IS NOT NULL AND (state <> 'pending' OR ready)",
    ),
    Rule(
        "runs.alone",
        "a run marked to be sent alone shares no message",
        "SELECT backfill_id, id AS run_id, 'message of ' || message_size AS found FROM runs "
        "WHERE alone AND state = 'queued' AND message_size > 1",
    ),
    Rule(
        "holds.taken",
        "a queued or running run holds its partition",
        "SELECT r.backfill_id, r.id AS run_id, r.state || ', partition ' || r.partition AS found "
        f"FROM runs r WHERE r.state IN {_ACTIVE} AND r.partition IS NOT NULL AND NOT EXISTS ("
        "SELECT 1 FROM partition_holds h WHERE h.set_id = r.set_id "
        "AND h.partition = r.partition AND h.run_id = r.id)",
    ),
    Rule(
        "holds.freed",
        "a partition is held only by a run on its way: queued, running or between two attempts",
        "SELECT r.backfill_id, h.run_id, 'partition ' || h.partition || ' by a run ' || "
        "coalesce(r.state, 'that is gone') AS found FROM partition_holds h "
        "LEFT JOIN runs r ON r.id = h.run_id AND r.set_id = h.set_id "
        "AND r.partition = h.partition "
        f"WHERE r.id IS NULL OR r.state IN {_FINAL} OR (r.state = 'pending' AND r.attempt = 0)",
    ),
    Rule(
        "attempts.each_ended_once",
        "every attempt of a run is kept: the last one on its row, those before in the history",
        "SELECT r.backfill_id, r.id AS run_id, r.state || ', attempt ' || r.attempt || ', kept ' "
        f"|| {_ARCHIVED} AS found FROM runs r WHERE CASE "
        f"WHEN r.state IN {_in(RunState.RUNNING, RunState.SUCCEEDED, RunState.FAILED)} "
        f"THEN {_ARCHIVED} <> r.attempt - 1 "
        f"WHEN r.state = 'canceled' THEN {_ARCHIVED} NOT IN (r.attempt, r.attempt - 1) "
        f"ELSE {_ARCHIVED} <> r.attempt END",
    ),
    Rule(
        "attempts.known",
        "nothing is written of an attempt that was never claimed",
        "SELECT r.backfill_id, w.run_id, w.what || ' of attempt ' || w.attempt AS found FROM ("
        "SELECT run_id, max(attempt) AS attempt, 'steps' AS what FROM step_outcomes "
        "GROUP BY run_id UNION ALL "
        "SELECT run_id, max(attempt), 'errors' FROM step_errors GROUP BY run_id UNION ALL "
        "SELECT run_id, max(attempt), 'history' FROM attempts GROUP BY run_id) AS w "
        "LEFT JOIN runs r ON r.id = w.run_id WHERE r.id IS NULL OR w.attempt > r.attempt",
    ),
    Rule(
        "steps.of_succeeded",
        "in a succeeded run every step's last outcome is a success or was skipped",
        "SELECT r.backfill_id, o.run_id, o.step || ' ' || o.state AS found FROM step_outcomes o "
        "JOIN runs r ON r.id = o.run_id WHERE r.state = 'succeeded' AND r.span IS NULL "
        f"AND o.state NOT IN {_in(StepState.SUCCEEDED, StepState.SKIPPED)} "
        f"AND NOT EXISTS ({_NEWER_STEP})",
    ),
    Rule(
        "steps.ended",
        "no step goes on after its attempt, none waits after its run",
        "SELECT r.backfill_id, o.run_id, o.step || ' ' || o.state || ' in attempt ' || o.attempt "
        "AS found FROM step_outcomes o JOIN runs r ON r.id = o.run_id "
        "WHERE (o.state = 'running' AND (r.state <> 'running' OR r.attempt <> o.attempt)) "
        f"OR (r.state IN {_FINAL} AND o.state NOT IN {_STEP_FINAL} "
        f"AND NOT EXISTS ({_NEWER_STEP}))",
    ),
    Rule(
        "ticks.runs",
        "a tick that is over names the runs it made; one that is open has none",
        "SELECT NULL AS backfill_id, max(r.id) AS run_id, t.schedule || ' at ' || t.tick_at || "
        "' has ' || count(r.id) || ' runs' AS found FROM ticks t "
        "LEFT JOIN runs r ON r.tick_id = t.id GROUP BY t.id, t.schedule, t.tick_at "
        "HAVING count(r.id) <> coalesce(max(json_array_length(t.run_ids)), 0)",
    ),
    Rule(
        "backfills.final",
        "when a backfill is over its runs are, and its end tells how they ended",
        "SELECT b.id AS backfill_id, NULL AS run_id, b.state || ', expanded ' || b.expanded "
        f"AS found FROM backfills b WHERE b.state IN {_BACKFILL_FINAL} AND ("
        f"EXISTS (SELECT 1 FROM runs r WHERE r.backfill_id = b.id AND r.state NOT IN {_FINAL}) "
        "OR (b.state <> 'canceled' AND (b.expanded_at IS NULL OR (b.state = 'failed') <> ("
        "b.expanded < b.total OR EXISTS ("
        "SELECT 1 FROM runs r WHERE r.backfill_id = b.id AND r.state IN ('failed', 'canceled') "
        "AND NOT EXISTS (SELECT 1 FROM runs n WHERE n.backfill_id = r.backfill_id "
        "AND n.set_id = r.set_id AND n.partition = r.partition "
        "AND n.generation > r.generation))))))",
    ),
    Rule(
        "backfills.retried",
        "a retry is made while its backfill is open, each run in place of one that did not succeed",
        "SELECT b.id AS backfill_id, NULL AS run_id, b.state || ' with a retry to make' AS found "
        f"FROM backfills b WHERE b.retrying IS NOT NULL AND b.state IN {_BACKFILL_FINAL} "
        "UNION ALL SELECT r.backfill_id, r.id, 'in place of ' || coalesce(p.state, 'none') "
        "FROM runs r LEFT JOIN runs p ON p.id = r.parent_id AND p.backfill_id = r.backfill_id "
        "AND p.partition = r.partition AND p.generation < r.generation "
        "WHERE r.generation > 0 AND coalesce(p.state, '') NOT IN ('failed', 'canceled')",
    ),
    Rule(
        "backfills.requested",
        "a backfill leaves the requested state with its first chunk",
        "SELECT id AS backfill_id, NULL AS run_id, 'expanded ' || expanded AS found "
        "FROM backfills WHERE state = 'requested' AND expanded > 0",
    ),
    Rule(
        "backfills.counts",
        "once the feed is added up, a backfill's counts are those of its partitions' newest runs",
        "SELECT b.id AS backfill_id, NULL AS run_id, "
        + " || ' ' || ".join(f"'{s.value} ' || b.{s.value}" for s in RunState)
        + " AS found FROM backfills b LEFT JOIN runs r ON r.backfill_id = b.id "
        "AND NOT EXISTS (SELECT 1 FROM runs n WHERE n.backfill_id = r.backfill_id "
        "AND n.set_id = r.set_id AND n.partition = r.partition AND n.generation > r.generation) "
        f"WHERE {_ALL_FOLDED} GROUP BY b.id HAVING {_COUNTS}",
    ),
]

QUIESCENT = [
    Rule(
        "quiescent.backfills",
        "nothing is left to do",
        "SELECT id AS backfill_id, NULL AS run_id, state AS found FROM backfills "
        f"WHERE state NOT IN {_BACKFILL_FINAL}",
    ),
    Rule(
        "quiescent.runs",
        "nothing is left to do",
        f"SELECT backfill_id, id AS run_id, state AS found FROM runs WHERE state NOT IN {_FINAL}",
    ),
]
