"""Dynamic partitions: keys added and removed while everything runs, kept in the database."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from backfill.definitions.calls import Definitions
from backfill.definitions.catalog import PartitionSetInfo
from backfill.definitions.partition import key_problem
from backfill.definitions.partitions import DynamicKeys
from backfill.definitions.partitions.product import split_key
from backfill.definitions.text import shown
from backfill.errors import Invalid, Unavailable, did_you_mean
from backfill.lifecycle.telling import note_event
from backfill.storage.database import Database, to_json
from backfill.storage.queries.dynamic import all_keys, keys_among

MAX_AT_ONCE = 100_000
MAX_CHARACTERS = 500
KEYS_TOLD = 100
_REFUSED = {"Cc": "a control character", "Zl": "a line break", "Zp": "a line break"}


@dataclass(frozen=True)
class KeysChanged:
    """What adding or removing keys came to.

    Attributes:
        changed: The keys that were added (or removed), in the order given.
        unchanged: How many were there (or gone) already.
    """

    definition: str
    changed: Sequence[str]
    unchanged: int


def add_keys(
    db: Database,
    definitions: Definitions,
    set_name: str,
    keys: Sequence[str],
    *,
    definition: str | None = None,
    actor: str | None = None,
) -> KeysChanged:
    """Add keys to the dynamic partitions of a set; those it has already stay where they are.

    Args:
        definition: Which of the set's dynamic definitions, when it has several.

    Raises:
        NotFound: No such partition set.
        Invalid: A key cannot be one, or the set has no such dynamic partitions.
    """
    name = definition_of(definitions.catalog().partition_set(set_name), definition)
    wanted = _checked(keys)

    def work(conn: Connection) -> Sequence[str]:
        rows = conn.execute(
            db.sql(
                "INSERT INTO dynamic_partitions (definition, key, added_at, added_by) "
                "SELECT :name, k.key, {now}, :actor "
                f"FROM {db.records('k', {'key': 'text', 'place': 'int'})} WHERE true "
                "ORDER BY k.place ON CONFLICT DO NOTHING RETURNING key"
            ),
            {
                "name": name,
                "actor": actor,
                "k": to_json([{"key": key, "place": place} for place, key in enumerate(wanted)]),
            },
        )
        return [row.key for row in rows]

    return _change(db, work, name, wanted, verb="added", actor=actor)


def remove_keys(
    db: Database,
    definitions: Definitions,
    set_name: str,
    keys: Sequence[str],
    *,
    definition: str | None = None,
    actor: str | None = None,
) -> KeysChanged:
    """Remove keys from the dynamic partitions of a set; what ran of them stays in the history.

    Runs of theirs that are on their way are left out, with the reason, when a worker takes them.
    Raises as `add_keys` does.
    """
    name = definition_of(definitions.catalog().partition_set(set_name), definition)
    wanted = _checked(keys)

    def work(conn: Connection) -> Sequence[str]:
        rows = conn.execute(
            db.sql(
                "DELETE FROM dynamic_partitions WHERE definition = :name "
                f"AND {db.one_of_texts('key', 'keys')} RETURNING key"
            ),
            {"name": name, "keys": db.texts(wanted)},
        )
        return [row.key for row in rows]

    return _change(db, work, name, wanted, verb="removed", actor=actor)


def definition_of(partition_set: PartitionSetInfo, definition: str | None) -> str:
    """Return the name of the dynamic definition whose keys a set has.

    Raises:
        Invalid: It has none, not this one, or several and none is named.
    """
    names = partition_set.dynamic
    if not names:
        raise Invalid(
            f'Partition set "{partition_set.name}" has no dynamic partitions: its keys come from '
            f"its definition ({partition_set.kind}), and change with the code."
        )
    if definition is None and len(names) > 1:
        raise Invalid(
            f'Partition set "{partition_set.name}" has several dynamic definitions: say which of '
            f"{', '.join(names)}."
        )
    if definition is not None and definition not in names:
        raise Invalid(
            f'Partition set "{partition_set.name}" has no dynamic partitions "{definition}".'
            f"{did_you_mean(definition, names)} It has: {', '.join(names)}."
        )
    return definition or names[0]


def stored_keys(db: Database) -> DynamicKeys:
    """Return where definitions find their keys: in the database, as they are at every call."""
    return lambda name: _read(db, lambda conn: all_keys(db, conn, name))


def keys_of_run(db: Database, partition: str) -> DynamicKeys:
    """Return where a run finds its own key, and no other, whatever the size of the set."""
    candidates = list(dict.fromkeys([partition, *split_key(partition)]))
    return lambda name: _read(db, lambda conn: keys_among(db, conn, name, candidates))


def _read(db: Database, query: Callable[[Connection], Sequence[str]]) -> Sequence[str]:
    try:
        with db.read() as conn:
            return query(conn)
    except DBAPIError as error:
        raise Unavailable(
            f"The keys of dynamic partitions cannot be read from {db.safe_url}: {error.orig}"
        ) from error


def _checked(keys: Sequence[str]) -> list[str]:
    if not keys:
        raise Invalid("Name at least one key.")
    if len(keys) > MAX_AT_ONCE:
        raise Invalid(
            f"{len(keys):,} keys are too many at once; send at most {MAX_AT_ONCE:,} in a request."
        )
    for key in keys:
        if problem := _problem(key):
            raise Invalid(
                f"The partition key {shown(key, 60)} {problem}.", key=key[:MAX_CHARACTERS]
            )
    return list(dict.fromkeys(keys))


def _problem(key: str) -> str | None:
    if len(key) > MAX_CHARACTERS:
        return f"has {len(key)} characters; at most {MAX_CHARACTERS} are kept"
    if problem := key_problem(key):
        return problem
    held = next((_REFUSED[c] for c in map(unicodedata.category, key) if c in _REFUSED), None)
    return None if held is None else f"holds {held}"


def _change(
    db: Database,
    work: Callable[[Connection], Sequence[str]],
    definition: str,
    wanted: Sequence[str],
    *,
    verb: str,
    actor: str | None,
) -> KeysChanged:
    """Change keys and say so in one event."""

    def changed_and_told(conn: Connection) -> set[str]:
        changed = set(work(conn))
        if changed:
            note_event(
                db,
                conn,
                kind=f"partitions.{verb}",
                message=f'{verb} partitions of "{definition}": {len(changed)}',
                actor=actor,
                facts={
                    "definition": definition,
                    "partitions": [key for key in wanted if key in changed][:KEYS_TOLD],
                },
            )
        return changed

    changed = db.transact(changed_and_told)
    db.notify()
    return KeysChanged(
        definition, [key for key in wanted if key in changed], len(wanted) - len(changed)
    )
