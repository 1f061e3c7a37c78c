"""Several writes of one transaction in one round trip.

On PostgreSQL the statements become one: data-modifying WITH queries, which all see the moment
before any of them. So they must not touch each other's rows. On SQLite, where a statement costs no
trip, each is executed as it is added.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from backfill.storage.database import Database


class Batch:
    """Writes that belong to one transaction; `run` it before anything reads what they wrote."""

    def __init__(self, db: Database, conn: Connection) -> None:
        self.db = db
        self.conn = conn
        self._statements: list[str] = []
        self._params: dict[str, Any] = {}
        self._expected: list[int | None] = []

    def add(self, statement: str, params: Mapping[str, Any], *, expect: int | None = None) -> None:
        """Add a write without RETURNING.

        Args:
            params: Named differently from those of the batch's other statements.
            expect: How many rows it must touch: less means that a lock did not hold.
        """
        if self.db.postgres:
            assert not self._params.keys() & params.keys(), "two statements share a parameter"
            self._statements.append(statement)
            self._params.update(params)
            self._expected.append(expect)
        else:
            _check(expect, self.conn.execute(self.db.sql(statement), params).rowcount)

    def run(self) -> None:
        """Execute what was added; the batch is empty afterwards."""
        if not self._statements:
            return
        members = ", ".join(
            f"w{n} AS ({statement} RETURNING 1)" for n, statement in enumerate(self._statements)
        )
        counts = ", ".join(f"(SELECT count(*) FROM w{n})" for n in range(len(self._statements)))
        row = self.conn.execute(self.db.sql(f"WITH {members} SELECT {counts}"), self._params).one()
        for expected, touched in zip(self._expected, row, strict=True):
            _check(expected, touched)
        self._statements, self._params, self._expected = [], {}, []


def _check(expected: int | None, touched: int) -> None:
    assert expected is None or touched == expected, "a locked row moved under its lock"
