"""Facts of the database that selections ask for, frozen at the moment they are looked up."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from backfill.definitions.selection.words import StatusWord, duration_seconds
from backfill.states import BoxStatus
from backfill.storage.database import Database
from backfill.storage.queries.blocks import blocked_keys
from backfill.storage.queries.marks import Mark, standing_marks
from backfill.storage.queries.statuses import (
    CANCELED,
    EVER_SUCCEEDED,
    FAILED,
    STALE,
    SUCCEEDED,
    Condition,
    InFlight,
    Looked,
    in_flight,
    keys_by_status,
    older,
    set_of,
)

OLDER = "older:"
EVER = "ever_succeeded"
_NOT_GROUPED = {w.value for w in (StatusWord.MISSING, StatusWord.RUNNING, StatusWord.BLOCKED)}
_CONDITIONS = {
    StatusWord.SUCCEEDED.value: SUCCEEDED,
    StatusWord.FAILED.value: FAILED,
    StatusWord.CANCELED.value: CANCELED,
    StatusWord.STALE.value: STALE,
    EVER: EVER_SUCCEEDED,
}


@dataclass(frozen=True)
class Facts:
    """What is known of the partitions of a set, from one moment.

    Attributes:
        keys: By name, the keys that a word of the language is true of, or, after a `!`, is not.
        in_flight: Partitions with a run on its way.
    """

    keys: dict[str, Sequence[str]]
    in_flight: Sequence[InFlight]


NOTHING = Facts({}, ())


def look_up(
    db: Database,
    conn: Connection,
    set_name: str,
    words: Collection[str],
    *,
    version: str,
    until: int | None = None,
    only: Sequence[str] | None = None,
    without: int | None = None,
) -> Facts:
    """Look up which partitions of a set the words are true of.

    Args:
        conn: Reads one moment, or the words may contradict each other.
        words: Of the selection language, and `ever_succeeded`.
        version: The pipeline's version now, for `stale`.
        until: Only what had happened by then (database clock, microseconds).
        only: Only these partitions.
        without: As if this backfill had never been.

    Returns:
        A key for every word; `missing` as `!missing`, for the database does not know the
        partitions that never ran. `running` also fills `in_flight`.
    """
    set_id = set_of(db, conn, set_name)
    if set_id is None:
        return Facts({_told(word): () for word in words}, ())
    looked = Looked(set_id, until, only, without)
    asked = set(words)
    if StatusWord.MISSING in asked:
        asked |= {StatusWord.SUCCEEDED, StatusWord.RUNNING}
    conditions = {w: _condition(w) for w in sorted(asked - _NOT_GROUPED)}
    found: dict[str, Sequence[str]] = dict(
        keys_by_status(db, conn, looked, conditions, version=version)
    )
    marked = standing_marks(db, conn, set_id, only=only, until=until)
    if marked:
        asked_at = db.clock(conn) if until is None else until
        found = {w: _with_marks(w, keys, marked, asked_at) for w, keys in found.items()}
    if StatusWord.BLOCKED in asked:
        found[StatusWord.BLOCKED.value] = blocked_keys(db, conn, set_name)
    busy = in_flight(db, conn, looked) if StatusWord.RUNNING in asked else []
    found[StatusWord.RUNNING.value] = [run.partition for run in busy]
    if StatusWord.MISSING in asked:
        there = {*found[StatusWord.SUCCEEDED], *found[StatusWord.RUNNING]}
        found[_told(StatusWord.MISSING)] = sorted(there)
    return Facts({_told(word): found[_told(word)] for word in words}, busy)


def _with_marks(
    word: str, keys: Sequence[str], marked: Mapping[str, Mark], asked_at: int
) -> Sequence[str]:
    """Return the keys a word is true of when what operators marked is taken for what happened."""
    true = {key for key, mark in marked.items() if _marked_so(word, mark, asked_at)}
    return sorted(true.union(key for key in keys if key not in marked))


def _marked_so(word: str, mark: Mark, asked_at: int) -> bool:
    if mark.status is not BoxStatus.SUCCEEDED:
        return False
    if word.startswith(OLDER):
        seconds = duration_seconds(word.removeprefix(OLDER))
        return seconds is not None and mark.at < asked_at - seconds * 1_000_000
    return word in {StatusWord.SUCCEEDED.value, EVER}


def _told(word: str) -> str:
    return "!missing" if word == StatusWord.MISSING else str(word)


def _condition(word: str) -> Condition:
    if word.startswith(OLDER):
        seconds = duration_seconds(word.removeprefix(OLDER))
        assert seconds is not None, word
        return older(seconds)
    return _CONDITIONS[word]
