"""Editing a live backfill: one field or several, under its row lock, old and new values kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row

from backfill.errors import Conflict, Invalid, did_you_mean
from backfill.lifecycle import moves
from backfill.lifecycle.fields import EDITABLE, Field
from backfill.lifecycle.locking import is_final, once, refuse_while
from backfill.lifecycle.telling import note_event
from backfill.states import BackfillState
from backfill.storage.database import Database, decoded, to_json

CHUNK = 5_000


def edit(
    db: Database, backfill_id: int, changes: Mapping[str, Any], *, actor: str | None = None
) -> dict[str, tuple[Any, Any]]:
    """Change fields of a backfill; what is queued already follows a changed limit or order.

    Args:
        changes: New values by field; see `fields.EDITABLE`.

    Returns:
        Old and new values of the fields that are different now.

    Raises:
        NotFound: No such backfill.
        Invalid: A field cannot be edited, or a value makes no sense.
        Conflict: The backfill is over or given up, or does not allow it as it is.
    """
    unknown = sorted(set(changes) - set(EDITABLE))
    if unknown:
        raise Invalid(
            f'"{unknown[0]}" cannot be edited.{did_you_mean(unknown[0], EDITABLE)} '
            f"What can be: {', '.join(EDITABLE)}."
        )
    done: dict[str, tuple[Any, Any]] = {}

    def work(conn: Connection, row: Row[Any]) -> None:
        done.clear()
        refuse_while(row, BackfillState.CANCELING, "edited", "Nothing of it starts any more.")
        for name, value in changes.items():
            _change(db, conn, row, name, value, done)
        if done:
            _note(db, conn, backfill_id, done, actor)

    once(db, backfill_id, work, was_done=lambda _before, now: bool(done) and _has(now, done))
    if "max_failures" in changes:
        _spread_max_failures(db, backfill_id, changes["max_failures"])
    return done


def _change(
    db: Database,
    conn: Connection,
    row: Row[Any],
    name: str,
    value: Any,
    done: dict[str, tuple[Any, Any]],
) -> None:
    field = EDITABLE[name]
    if is_final(row) and not field.when_over:
        raise Conflict(
            f"Backfill {row.id} is {row.state}: its {name} changes nothing any more. Retry it or "
            "clone it.",
            state=row.state,
        )
    columns = {
        column: new
        for column, new in field.set(row, value).items()
        if _held(row, column, field) != new
    }
    if not columns:
        return
    _write(db, conn, row.id, columns, field)
    if name in columns:
        done[name] = (_held(row, name, field), columns[name])
    else:
        done[name] = (_held(row, name, field), value)
    if name == "timeout_seconds":
        _set_deadline(db, conn, row.id)
    if field.recalls:
        moves.recall(db, conn, row.id)


def _held(row: Row[Any], column: str, field: Field) -> Any:
    value = getattr(row, column)
    return decoded(value) if column in field.as_json else value


def _has(row: Row[Any], done: Mapping[str, tuple[Any, Any]]) -> bool:
    """Say whether a row has the new values: a commit whose answer was lost is not done twice."""
    return all(_held(row, name, EDITABLE[name]) == new for name, (_, new) in done.items())


def _write(
    db: Database, conn: Connection, backfill_id: int, columns: Mapping[str, Any], field: Field
) -> None:
    assert "state" not in columns, "only moves write states"
    sets: list[str] = []
    params: dict[str, Any] = {"id": backfill_id}
    for column, value in columns.items():
        as_json = column in field.as_json and value is not None
        sets.append(
            f"{column} = CAST(:{column} AS json)"
            if as_json and db.postgres
            else f"{column} = :{column}"
        )
        params[column] = to_json(value) if as_json else value
    conn.execute(db.sql(f"UPDATE backfills SET {', '.join(sets)} WHERE id = :id"), params)


def _set_deadline(db: Database, conn: Connection, backfill_id: int) -> None:
    """Have the time of a backfill run from now."""
    conn.execute(
        db.sql(
            "UPDATE backfills SET on_timeout = coalesce(on_timeout, 'cancel'), "
            "deadline_at = {now} + CAST(timeout_seconds * 1000000 AS bigint) WHERE id = :id"
        ),
        {"id": backfill_id},
    )


def _spread_max_failures(db: Database, backfill_id: int, value: int) -> None:
    """Give the runs that have not ended the new budget, a chunk at a time; safe to repeat."""
    of = "SELECT id FROM runs WHERE backfill_id = :id AND max_failures <> :value AND"
    branches = (
        "state IN ('queued', 'running')",
        "state = 'pending' AND ready",
        "state = 'pending' AND NOT ready",
    )
    chosen = " UNION ALL ".join(f"{of} {branch}" for branch in branches)

    def work(conn: Connection) -> int:
        return conn.execute(
            db.sql(
                "UPDATE runs SET max_failures = :value WHERE finished_at IS NULL AND id IN "
                f"(SELECT id FROM ({chosen}) AS c ORDER BY id LIMIT :limit)"
            ),
            {"id": backfill_id, "value": value, "limit": CHUNK},
        ).rowcount

    while db.transact(work):
        pass


def _note(
    db: Database,
    conn: Connection,
    backfill_id: int,
    done: Mapping[str, tuple[Any, Any]],
    actor: str | None,
) -> None:
    told = "; ".join(f"{name}: {_shown(old)} → {_shown(new)}" for name, (old, new) in done.items())
    note_event(
        db,
        conn,
        kind="backfill.edited",
        message=told,
        backfill_id=backfill_id,
        actor=actor,
        facts={
            "old": {name: old for name, (old, _) in done.items()},
            "new": {name: new for name, (_, new) in done.items()},
        },
    )


def _shown(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 200 else text[:199] + "…"
