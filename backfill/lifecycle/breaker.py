"""The breaker: a backfill whose runs fail too often is paused, and the error that broke it named.

The feed tells how every run ended, in order, and folding reads it under the backfill's row lock:
what is counted there is exact, costs nothing while runs are recorded, and cannot be counted twice.
Arming is a moment: what the feed told before it does not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Row

from backfill.errors import Invalid
from backfill.lifecycle import moves
from backfill.lifecycle.likeness import error_key
from backfill.lifecycle.telling import note_event
from backfill.states import BackfillMove, RunState
from backfill.storage.database import Database, decoded, to_json

MOST_REMEMBERED = 1_000
FAILURES_LOOKED_AT = 1_000
COLUMNS = (
    "id, state, breaker, breaker_state, armed_at, total, expanded_at, pending, queued, running"
)


@dataclass(frozen=True)
class Breaker:
    """After which failures a backfill is paused; each limit may be left out.

    Attributes:
        in_row: So many failed runs one after the other.
        in_all: So many failed runs.
        percent: Of the last so many finished runs at least this share failed.
        last: How many finished runs the share is taken of; none fewer.
    """

    in_row: int | None = None
    in_all: int | None = None
    percent: int | None = None
    last: int | None = None

    def checked(self) -> Breaker:
        """Return it; raises Invalid for limits that make no sense."""
        for name in ("in_row", "in_all", "percent", "last"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise Invalid(f"The breaker's {name} must be at least 1; leave it out for none.")
        if (self.percent is None) != (self.last is None):
            raise Invalid("The breaker's percent and last go together: give both or neither.")
        if self.percent is not None and self.percent > 100:
            raise Invalid("The breaker's percent is at most 100.")
        if self.last is not None and self.last > MOST_REMEMBERED:
            raise Invalid(f"The breaker's last is at most {MOST_REMEMBERED}.")
        if (self.in_row, self.in_all, self.percent) == (None, None, None):
            raise Invalid("A breaker needs in_row, in_all, or percent with last.")
        return self

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> Breaker | None:
        """Return the breaker that a request or a row gives, checked."""
        if not given:
            return None
        unknown = sorted(set(given) - {"in_row", "in_all", "percent", "last"})
        if unknown:
            raise Invalid(f'A breaker has no "{unknown[0]}"; it has in_row, in_all, percent, last.')
        return cls(**given).checked()

    def kept(self) -> dict[str, int]:
        """Return it as it is stored."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Counted:
    """What was counted since the breaker was armed.

    Attributes:
        row: Failures since the last success.
        all: Failures.
        last: The last finished runs, oldest first: 1 for a failure, 0 for a success.
    """

    row: int = 0
    all: int = 0
    last: str = ""


def count(
    breaker: Breaker, counted: Counted, failures: Iterable[bool]
) -> tuple[Counted, str | None]:
    """Count finished runs, in order: True for one that failed.

    Returns:
        What is counted now, and the limit that was reached, for people; None while none was.
    """
    broke: str | None = None
    row, total, last = counted.row, counted.all, counted.last
    kept = breaker.last or 0
    for failed in failures:
        row = row + 1 if failed else 0
        total += failed
        if kept:
            last = (last + ("1" if failed else "0"))[-kept:]
        if failed and broke is None:
            broke = _broken(breaker, Counted(row, total, last))
    return Counted(row, total, last), broke


def _broken(breaker: Breaker, counted: Counted) -> str | None:
    if breaker.in_row is not None and counted.row >= breaker.in_row:
        return f"{counted.row} runs failed in a row"
    if breaker.in_all is not None and counted.all >= breaker.in_all:
        return f"{counted.all} runs failed"
    if breaker.percent is not None and breaker.last is not None:
        failed = counted.last.count("1")
        if len(counted.last) >= breaker.last and failed * 100 >= breaker.percent * breaker.last:
            return f"{failed} of the last {breaker.last} runs failed"
    return None


def ends_told(body: Mapping[str, Any], at: int) -> dict[int, list[tuple[int, bool]]]:
    """Return how runs ended by backfill, as one feed row tells it: (when, whether it failed).

    A transaction that moved too much to list it tells counts only. Its order is not known: then
    failures and successes are taken in turn.
    """
    found: dict[int, list[tuple[int, bool]]] = {}
    if "runs" in body:
        for run in body["runs"]:
            if run[3] is not None and run[1] in _ENDS:
                found.setdefault(run[3], []).append((at, _ENDS[run[1]]))
        return found
    for backfill, moved in body.get("counts", {}).items():
        counts = {state: max(0, moved.get(state, 0)) for state in _ENDS}
        if any(counts.values()):
            found[int(backfill)] = [(at, failed) for failed in _in_turn(counts)]
    return found


_ENDS = {RunState.SUCCEEDED.value: False, RunState.FAILED.value: True}


def _in_turn(counts: Mapping[str, int]) -> list[bool]:
    failed, succeeded = counts[RunState.FAILED.value], counts[RunState.SUCCEEDED.value]
    size = failed + succeeded
    return [place * failed // size != (place + 1) * failed // size for place in range(size)]


def heed(
    db: Database, conn: Connection, row: Row[Any], ends: Sequence[tuple[int, bool]]
) -> str | None:
    """Count how runs of a backfill ended, and pause it when that breaks its breaker.

    Args:
        row: `COLUMNS` of the backfill, locked by the caller.

    Returns:
        Why it was paused; None when it was not.
    """
    breaker = Breaker.of(decoded(row.breaker))
    if breaker is None:
        return None
    armed_at = row.armed_at or 0
    known = decoded(row.breaker_state)
    before = Counted(**known) if known else Counted()
    counted, broke = count(breaker, before, [failed for at, failed in ends if at > armed_at])
    as_json = "CAST(:counted AS json)" if db.postgres else ":counted"
    conn.execute(
        db.sql(f"UPDATE backfills SET breaker_state = {as_json} WHERE id = :id"),
        {"counted": to_json(asdict(counted)), "id": row.id},
    )
    if broke is None or row.state != "running" or not _something_left(row):
        return None
    return _trip(db, conn, row.id, broke, armed_at)


def _something_left(row: Row[Any]) -> bool:
    """Say whether pausing it would still stop anything."""
    return row.expanded_at is None or row.pending + row.queued + row.running > 0


def _trip(
    db: Database, conn: Connection, backfill_id: int, broke: str, armed_at: int
) -> str | None:
    error, share = _culprit(db, conn, backfill_id, armed_at)
    reason = f"breaker: {broke}" + (f", {share} with: {error}" if error is not None else "")
    facts = {"by": "breaker", "broke": broke, "error": error}
    if not moves.move_backfill(
        db, conn, backfill_id, BackfillMove.PAUSE, pause_reason=reason, pause_facts=facts
    ):
        return None
    moves.recall(db, conn, backfill_id)
    note_event(
        db,
        conn,
        kind="backfill.tripped",
        message=reason,
        backfill_id=backfill_id,
        facts=facts,
    )
    return reason


def _culprit(
    db: Database, conn: Connection, backfill_id: int, armed_at: int
) -> tuple[str | None, str]:
    """Return the error that most failures since arming have in common, and how many have it."""
    rows = conn.execute(
        db.sql(
            "SELECT error_key, error_type, error_message, reason FROM runs "
            "WHERE backfill_id = :id AND state IN ('failed', 'canceled') AND state = 'failed' "
            "AND finished_at > :armed "
            "ORDER BY id DESC LIMIT :most"
        ),
        {"id": backfill_id, "armed": armed_at, "most": FAILURES_LOOKED_AT},
    ).all()
    found = Counter(r.error_key or error_key(r.error_type, r.error_message) for r in rows)
    if not found:
        return None, ""
    error, n = found.most_common(1)[0]
    return error, "all" if n == len(rows) else f"{n} of {len(rows)}"
