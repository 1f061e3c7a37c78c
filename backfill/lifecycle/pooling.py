"""Pools and limits of tags: their numbers, changed while runs take them; a name's first use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from backfill.definitions.pools import MOST_SLOTS, is_pool_name
from backfill.errors import Invalid, NotFound
from backfill.lifecycle.admission.ledger import TagLimit, read_used, tag_name
from backfill.lifecycle.telling import note_event
from backfill.settings import Settings
from backfill.storage.database import Database


@dataclass(frozen=True)
class Pool:
    """A named limit.

    Attributes:
        slots: How many there are.
        configured: Somebody said so; else it is the default.
        used: Slots that queued and running runs take.
    """

    name: str
    slots: int
    configured: bool
    used: int


@dataclass(frozen=True)
class LimitedTag:
    """A limit of the active runs with a tag.

    Attributes:
        value: None: so many of each value.
        active: Runs that count against it; of a limit of each value, those of all values.
    """

    key: str
    value: str | None
    max_active_runs: int
    active: int


def register_pools(db: Database, conn: Connection, names: Iterable[str]) -> None:
    """Have pools listed from their first use on; their slots are the default until changed."""
    for name in sorted(set(names)):
        conn.execute(
            db.sql(
                "INSERT INTO pools (name, changed_at) VALUES (:name, {now}) "
                "ON CONFLICT (name) DO NOTHING"
            ),
            {"name": name},
        )


def list_pools(db: Database, conn: Connection, settings: Settings) -> list[Pool]:
    """Return every pool that was ever named, by name."""
    rows = conn.execute(db.sql("SELECT name, slots FROM pools ORDER BY name")).all()
    used = read_used(db, conn)
    return [
        Pool(
            name=row.name,
            slots=settings.pool_slots if row.slots is None else row.slots,
            configured=row.slots is not None,
            used=used.get(row.name, 0),
        )
        for row in rows
    ]


def set_slots(db: Database, name: str, slots: int | None, *, actor: str | None = None) -> None:
    """Change how many slots a pool has; it acts with the next admission.

    Runs that take slots keep them: with fewer slots than are taken, none is given until enough
    are back.

    Args:
        slots: 0 closes the pool; None makes it the default again.

    Raises:
        Invalid: The name or the number makes no sense.
    """
    if not is_pool_name(name):
        raise Invalid(
            f'"{name}" cannot name a pool: use letters, digits, dots, dashes and underscores.'
        )
    if slots is not None and not 0 <= slots <= MOST_SLOTS:
        raise Invalid(f"A pool has 0 to {MOST_SLOTS:,} slots.")
    told = "the default number of" if slots is None else str(slots)

    def work(conn: Connection) -> None:
        conn.execute(
            db.sql(
                "INSERT INTO pools (name, slots, changed_at, changed_by) "
                "VALUES (:name, :slots, {now}, :actor) ON CONFLICT (name) DO UPDATE SET "
                "slots = excluded.slots, changed_at = excluded.changed_at, "
                "changed_by = excluded.changed_by"
            ),
            {"name": name, "slots": slots, "actor": actor},
        )
        _note(db, conn, f'pool "{name}" has {told} slots', actor)

    db.transact(work)
    db.notify()


def list_tag_limits(db: Database, conn: Connection) -> list[LimitedTag]:
    """Return every limit of a tag, by key and value."""
    rows = conn.execute(
        db.sql("SELECT key, value, max_active_runs FROM tag_limits ORDER BY key, value")
    ).all()
    used = read_used(db, conn)
    return [_limited(TagLimit(*row), used) for row in rows]


def set_tag_limit(
    db: Database, key: str, value: str | None, limit: int, *, actor: str | None = None
) -> None:
    """Let at most so many runs with a tag be active; it acts with the next admission.

    Runs that were queued before the first limit of a key do not count against it.

    Args:
        value: None: so many of each value; a value with a limit of its own has that.
        limit: 0 lets none start.

    Raises:
        Invalid: The tag or the number makes no sense.
    """
    if not key or value == "":
        raise Invalid("A limit of a tag needs the tag's key; leave the value out for each value.")
    if not 0 <= limit <= MOST_SLOTS:
        raise Invalid(f"At most 0 to {MOST_SLOTS:,} runs may be active.")

    def work(conn: Connection) -> None:
        conn.execute(
            db.sql(
                "INSERT INTO tag_limits (key, value, max_active_runs, changed_at, changed_by) "
                "VALUES (:key, :value, :most, {now}, :actor) ON CONFLICT (key, value) DO UPDATE "
                "SET max_active_runs = excluded.max_active_runs, "
                "changed_at = excluded.changed_at, changed_by = excluded.changed_by"
            ),
            {"key": key, "value": value or "", "most": limit, "actor": actor},
        )
        _note(db, conn, f"at most {limit} runs with the tag {_shown(key, value)}", actor)

    db.transact(work)
    db.notify()


def remove_tag_limit(
    db: Database, key: str, value: str | None, *, actor: str | None = None
) -> None:
    """Let runs with a tag start without this limit again.

    Raises:
        NotFound: There is no such limit.
    """

    def work(conn: Connection) -> bool:
        gone = conn.execute(
            db.sql("DELETE FROM tag_limits WHERE key = :key AND value = :value RETURNING key"),
            {"key": key, "value": value or ""},
        ).first()
        if gone is not None:
            _note(db, conn, f"no limit of the tag {_shown(key, value)} any more", actor)
        return gone is not None

    if not db.transact(work):
        raise NotFound(f"There is no limit of the tag {_shown(key, value)}.")
    db.notify()


def _limited(limit: TagLimit, used: dict[str, int]) -> LimitedTag:
    prefix = tag_name(limit.key, limit.value)
    counted: Sequence[int] = [
        n
        for name, n in used.items()
        if name == prefix or (not limit.value and name.startswith(prefix))
    ]
    return LimitedTag(limit.key, limit.value or None, limit.max_active_runs, sum(counted))


def _shown(key: str, value: str | None) -> str:
    return f"{key}={value}" if value else f"{key} (each value)"


def _note(db: Database, conn: Connection, message: str, actor: str | None) -> None:
    note_event(db, conn, kind="limits.changed", message=message, actor=actor)
