"""The ledger: slots of pools and limits of tags, as they are taken within a turn of admission.

What is taken is derived from the active runs, each of which keeps the slots it takes on its row:
nothing can leak, and whatever ends a run gives its slots back. Sums are taken under the leader's
lock, by one admitter at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from backfill.storage.database import Database

OF_TAG = "tag:"  # names of limits of tag values begin so; no pool can be called so


@dataclass(frozen=True)
class TagLimit:
    """How many active runs may carry a tag; an empty value: so many of each value."""

    key: str
    value: str
    max_active_runs: int


def tag_name(key: str, value: str) -> str:
    """Return the name under which runs with a tag are counted."""
    return f"{OF_TAG}{key}={value}"


class Ledger:
    """Free slots by name, and the names that somebody waits for.

    Args:
        slots: Of the pools that were ever named; None for those nobody gave a number.
        used: What active runs take.
        default_slots: Of a pool that nobody gave a number.
    """

    def __init__(
        self,
        slots: Mapping[str, int | None],
        tag_limits: Sequence[TagLimit],
        used: Mapping[str, int],
        *,
        default_slots: int,
    ) -> None:
        self._slots = slots
        self._default = default_slots
        self.used = Counter(used)
        self.tag_limits = tag_limits
        self._of_value = {(x.key, x.value): x.max_active_runs for x in tag_limits if x.value}
        self._of_each = {x.key: x.max_active_runs for x in tag_limits if not x.value}
        self.keys = frozenset(x.key for x in tag_limits)
        self.short: set[str] = set()

    def slots(self, name: str) -> int:
        """Return how many slots a pool has, or how many runs a tag's limit allows."""
        if name.startswith(OF_TAG):
            key, _, value = name.removeprefix(OF_TAG).partition("=")
            limit = self._of_value.get((key, value), self._of_each.get(key))
            return MOST if limit is None else limit
        slots = self._slots.get(name)
        return self._default if slots is None else slots

    def needs(self, pools: Mapping[str, int], tags: Mapping[str, str]) -> dict[str, int]:
        """Return what a run takes: its pools, and one of each limit that its tags fall under.

        A run that needs more than a pool has takes all of it, rather than wait for ever.
        """
        needs = {
            name: min(slots, max(self.slots(name), 1))
            for name, slots in pools.items()
            if not name.startswith(OF_TAG)
        }
        for key in self.keys & tags.keys():
            if key in self._of_each or (key, tags[key]) in self._of_value:
                needs[tag_name(key, tags[key])] = 1
        return needs

    def fits(self, needs: Mapping[str, int]) -> int:
        """Return how many runs of these needs can be taken now."""
        return min(
            (
                0 if name in self.short else max(0, self.slots(name) - self.used[name]) // slots
                for name, slots in needs.items()
            ),
            default=MOST,
        )

    def take(self, needs: Mapping[str, int]) -> bool:
        """Take all or nothing.

        What is short is kept for who asked first: later ones of this turn do not get it, so that
        a run that needs two slots is not passed over for ever by those that need one.
        """
        self.keep_short(needs)
        if any(name in self.short for name in needs):
            return False
        self.used.update(needs)
        return True

    def keep_short(self, needs: Mapping[str, int]) -> None:
        """Note what a run of these needs waits for."""
        self.short |= {n for n, slots in needs.items() if self.slots(n) - self.used[n] < slots}

    def give_back(self, needs: Mapping[str, int]) -> None:
        """Undo one `take`."""
        self.used.subtract(needs)

    def short_values(self, key: str) -> list[str]:
        """Return the values of a tag of which no more runs can be taken."""
        prefix = tag_name(key, "")
        return [name.removeprefix(prefix) for name in self.short if name.startswith(prefix)]

    def short_pools(self) -> list[str]:
        """Return the pools of which no more slots can be taken."""
        return [name for name in self.short if not name.startswith(OF_TAG)]


MOST = 1 << 40


def read_ledger(db: Database, conn: Connection, *, default_slots: int) -> Ledger:
    """Read the limits, and what active runs take of them; the latter only where there are any."""
    rows = conn.execute(
        db.sql(
            "SELECT name, NULL AS value, slots AS most FROM pools "
            "UNION ALL SELECT key, value, max_active_runs FROM tag_limits"
        )
    ).all()
    slots = {row.name: row.most for row in rows if row.value is None}
    limits = [TagLimit(row.name, row.value, row.most) for row in rows if row.value is not None]
    used = read_used(db, conn) if rows else {}
    return Ledger(slots, limits, used, default_slots=default_slots)


def read_used(db: Database, conn: Connection) -> dict[str, int]:
    """Return the slots that active runs take, by name."""
    rows = conn.execute(
        db.sql(
            "SELECT e.key AS name, sum(CAST(e.value AS int)) AS n "
            f"FROM runs r CROSS JOIN {db.json_entries('r.pools')} AS e "
            "WHERE r.state IN ('queued', 'running') AND r.pools IS NOT NULL GROUP BY e.key"
        )
    ).all()
    return {row.name: int(row.n) for row in rows}
