"""What of a live backfill can be edited: a table of fields, a line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from backfill.errors import Conflict, Invalid
from backfill.lifecycle.breaker import Breaker
from backfill.lifecycle.guards import CanaryState
from backfill.lifecycle.limits import check_on_timeout, check_seconds
from backfill.lifecycle.ordering import packed_windows
from backfill.lifecycle.requests import QUEUE_TAG
from backfill.storage.database import decoded

Columns = Mapping[str, Any]
Setter = Callable[[Row[Any], Any], Columns]


@dataclass(frozen=True)
class Field:
    """One field that can be edited.

    Attributes:
        set: From the row and the new value to the columns that change; raises Invalid or Conflict.
        as_json: The columns that hold JSON.
        recalls: Queued runs are taken back, so that the change acts on them, too.
        when_over: Also of a backfill that is over.
    """

    set: Setter
    as_json: frozenset[str] = frozenset()
    recalls: bool = False
    when_over: bool = False


def _plain(column: str, *, least: int | None = None, optional: bool = False) -> Setter:
    """Return a setter of one column, its value at least so large."""

    def columns(_row: Row[Any], value: Any) -> Columns:
        if value is None and not optional:
            raise Invalid(f"{column} cannot be empty.")
        if value is not None and least is not None and value < least:
            raise Invalid(f"{column} must be at least {least}.")
        return {column: value}

    return columns


def _ordering(row: Row[Any], value: str) -> Columns:
    turned = {"oldest", "newest"}
    if value not in turned or row.ordering not in turned:
        raise Invalid("Only the orders oldest and newest can be changed into each other.")
    if row.sequential or row.depends_on_previous:
        raise Conflict(f"Backfill {row.id} goes in a line: its order cannot be changed.")
    return {"ordering": value}


def _tags(row: Row[Any], value: Mapping[str, str] | None) -> Columns:
    tags, before = dict(value or {}), decoded(row.tags) or {}
    if tags.setdefault(QUEUE_TAG, before.get(QUEUE_TAG, "")) != before.get(QUEUE_TAG, ""):
        raise Invalid(
            f'The tag "{QUEUE_TAG}" cannot be changed: its runs have their queue already.'
        )
    return {"tags": {name: text for name, text in tags.items() if text or name != QUEUE_TAG}}


def _breaker(_row: Row[Any], value: Mapping[str, int] | None) -> Columns:
    breaker = Breaker.of(value)
    return {"breaker": None if breaker is None else breaker.kept(), "breaker_state": None}


def _canary(row: Row[Any], value: int | None) -> Columns:
    if row.canary_state == CanaryState.WAITING and value is not None:
        return _plain("canary", least=1)(row, value)
    if value is not None:
        raise Conflict(
            f"The canary of backfill {row.id} is "
            f"{row.canary_state or 'not there'}: it can only be given up."
        )
    settled = (None, CanaryState.PASSED, CanaryState.WAIVED)
    return {} if row.canary_state in settled else {"canary_state": CanaryState.WAIVED.value}


def _percent(_row: Row[Any], value: int | None) -> Columns:
    if value is None or not 1 <= value <= 100:
        raise Invalid("canary_percent is a share of the canary: 1 to 100.")
    return {"canary_percent": value}


def _max_active(row: Row[Any], value: int | None) -> Columns:
    if value is not None and value > 1 and (row.sequential or row.depends_on_previous):
        raise Conflict(f"Backfill {row.id} goes in a line, one partition at a time.")
    return _plain("max_active_runs", least=1, optional=True)(row, value)


def _windows(_row: Row[Any], value: Sequence[str | Mapping[str, Any]] | None) -> Columns:
    return {"windows": packed_windows(value)}


def _seconds(column: str) -> Setter:
    def columns(_row: Row[Any], value: float | None) -> Columns:
        check_seconds(column, value)
        return {column: value}

    return columns


def _on_timeout(_row: Row[Any], value: str) -> Columns:
    check_on_timeout(value)
    return {"on_timeout": value}


_JSON_BREAKER = frozenset({"breaker", "breaker_state"})

EDITABLE: Mapping[str, Field] = {
    "note": Field(_plain("note", optional=True), when_over=True),
    "tags": Field(_tags, frozenset({"tags"})),
    "max_active_runs": Field(_max_active, recalls=True),
    "priority": Field(_plain("priority")),
    "ordering": Field(_ordering, recalls=True),
    "max_failures": Field(_plain("max_failures", least=0)),
    "windows": Field(_windows, frozenset({"windows"}), recalls=True),
    "breaker": Field(_breaker, _JSON_BREAKER),
    "canary": Field(_canary),
    "canary_percent": Field(_percent),
    "run_timeout_seconds": Field(_seconds("run_timeout_seconds")),
    "timeout_seconds": Field(_seconds("timeout_seconds")),
    "on_timeout": Field(_on_timeout),
}
