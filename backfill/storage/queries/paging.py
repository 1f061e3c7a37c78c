"""Pages of a list that is read by key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Row

from backfill.storage.database import Database

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some items of a list; `more` says that others follow the last of them."""

    items: Sequence[T]
    more: bool


def read_page(
    db: Database,
    conn: Connection,
    statement: str,
    params: Mapping[str, Any],
    view: Callable[[Row[Any]], T],
    *,
    limit: int,
) -> Page[T]:
    """Read `limit` items of a statement that ends where its LIMIT belongs."""
    rows = conn.execute(
        db.sql(f"{statement} LIMIT :page_limit"), {**params, "page_limit": limit + 1}
    ).all()
    return Page([view(row) for row in rows[:limit]], more=len(rows) > limit)


class Where:
    """Conditions and what they bind, gathered one by one."""

    def __init__(self) -> None:
        self._conditions: list[str] = []
        self.params: dict[str, Any] = {}

    def add(self, condition: str, **params: Any) -> None:
        """Add a condition; the names it binds must be its own."""
        self._conditions.append(condition)
        self.params.update(params)

    def named(self, column: str, table: str, name: str | None, bound: str) -> None:
        """Narrow an id column to the row of `table` that has a name, if one is given."""
        if name is not None:
            self.add(f"{column} = (SELECT id FROM {table} WHERE name = :{bound})", **{bound: name})

    def __str__(self) -> str:
        return " AND ".join(self._conditions) if self._conditions else "true"
