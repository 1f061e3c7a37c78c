"""Rows as the driver gives them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CursorResult


def tuples(result: CursorResult[Any]) -> list[tuple[Any, ...]]:
    """Return all rows as plain tuples: with thousands, SQLAlchemy's rows take half of the time."""
    rows = result.cursor.fetchall() if result.cursor is not None else ()
    result.close()
    return list(rows)
