"""How every story is brought to its end: limits lifted, guards let go, lines passed on."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from backfill.errors import BackfillError
from backfill.lifecycle.passing import skip_partition

if TYPE_CHECKING:
    from tests.state_machine.world import World


def let_go(world: World) -> None:
    """Lift what operators set up, so that what is left can end."""
    db = world.db
    with db.write() as conn:
        conn.execute(db.sql("DELETE FROM blocked_partitions"))
        conn.execute(db.sql("DELETE FROM tag_limits"))
        conn.execute(db.sql("UPDATE pools SET slots = 9"))


def go_on(world: World) -> None:
    """Resume what a guard paused, and pass over what stops a line."""
    db = world.db
    for row in world.house.rows("SELECT id, set_id, state, depends_on_previous FROM backfills"):
        if row.state == "paused":
            world.house.resume(row.id)
        if row.depends_on_previous:
            for key in stopping(world, row.id):
                with suppress(BackfillError):
                    skip_partition(db, row.id, key)


def stopping(world: World, backfill_id: int) -> list[str]:
    """Return the partitions that runs of a line wait for and that nothing runs."""
    waiting = world.house.rows(
        "SELECT DISTINCT previous FROM runs WHERE backfill_id = :id AND state = 'pending' "
        "AND previous IS NOT NULL",
        id=backfill_id,
    )
    return [row.previous for row in waiting]
