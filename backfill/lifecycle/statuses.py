"""Facts of the database that selections ask for, frozen at the moment they are looked up."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from backfill.definitions.selection.words import StatusWord, duration_seconds
from backfill.storage.database import Database
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
_NOT_GROUPED = {StatusWord.MISSING.value, StatusWord.RUNNING.value}
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
    busy = in_flight(db, conn, looked) if StatusWord.RUNNING in asked else []
    found[StatusWord.RUNNING.value] = [run.partition for run in busy]
    if StatusWord.MISSING in asked:
        there = {*found[StatusWord.SUCCEEDED], *found[StatusWord.RUNNING]}
        found[_told(StatusWord.MISSING)] = sorted(there)
    return Facts({_told(word): found[_told(word)] for word in words}, busy)


def _told(word: str) -> str:
    return "!missing" if word == StatusWord.MISSING else str(word)


def _condition(word: str) -> Condition:
    if word.startswith(OLDER):
        seconds = duration_seconds(word.removeprefix(OLDER))
        assert seconds is not None, word
        return older(seconds)
    return _CONDITIONS[word]
