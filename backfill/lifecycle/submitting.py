"""Submitting: a selection is frozen and a backfill requested; the coordinator does the rest."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import accumulate
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from backfill.definitions.calls import Definitions, KeyRange
from backfill.definitions.hooks import HookInfo
from backfill.errors import Conflict, NothingToRun
from backfill.lifecycle import moves
from backfill.lifecycle.choosing import Choice, choose
from backfill.lifecycle.guarding import guard_columns, refuse_active
from backfill.lifecycle.limits import limit_columns
from backfill.lifecycle.names import pipeline_id, set_id
from backfill.lifecycle.ordering import order_columns
from backfill.lifecycle.planning import Change, changes, groups_of
from backfill.lifecycle.pooling import register_pools
from backfill.lifecycle.reprocessing import skipped_groups
from backfill.lifecycle.requests import QUEUE_TAG as QUEUE_TAG
from backfill.lifecycle.requests import BackfillRequest
from backfill.lifecycle.telling import note_event
from backfill.lifecycle.validating import Validating, require_configs
from backfill.storage.database import Database, decoded
from backfill.storage.models import backfill_ranges


@dataclass(frozen=True)
class Submitted:
    """The answer to a submit.

    Attributes:
        created: False when the same request came before.
        left_out: How many selected partitions were left out, by reason.
        changes: What is not as it was planned.
    """

    backfill_id: int
    total: int
    created: bool
    left_out: Mapping[str, int] = field(default_factory=dict)
    changes: Sequence[Change] = ()


def submit(
    db: Database,
    definitions: Definitions,
    request: BackfillRequest,
    *,
    at: datetime,
    limit: int,
    planned: Mapping[str, int] | None = None,
    wake_above: int = 0,
) -> Submitted:
    """Freeze the selection and request the backfill; runs are made by the coordinator.

    Args:
        at: The moment the set is looked at, timezone-aware.
        limit: A selection of more partitions is refused.
        planned: The counts of a plan; the answer says what changed since.
        wake_above: For fewer partitions nobody is woken: whoever submits makes their runs himself
            (see `expand_small`), and the coordinator only comes to them when that fails.

    Raises:
        NotFound: No such partition set.
        SelectionInvalid: The selection does not parse, names unknown keys or is empty.
        NothingToRun: All that is selected is left out, for it succeeded before or the like.
        ConfigInvalid: The config of its first or last partitions does not fit the pipeline.
        Conflict: The idempotency key was used for another request, or a selected partition has a
            run on its way and that is refused.
    """
    known = _known_key(db, request)
    if known is not None:
        return known
    explained = planned is not None or request.on_conflict == "refuse"
    choice = choose(db, definitions, request, at=at, limit=limit, explained=explained)
    _require_some(request, choice)
    if request.on_conflict == "refuse":
        refuse_active(request, groups_of(choice))
    key_ranges = choice.selected.key_ranges
    hooks = definitions.catalog().partition_set(request.partition_set).hooks
    require_configs(
        definitions, Validating(request.partition_set, key_ranges, request.run_config, at)
    )
    # With a key of its own, an insert that is repeated because its answer was lost is noticed.
    keyed = replace(request, idempotency_key=request.idempotency_key or secrets.token_hex(16))
    try:
        submitted = db.transact(lambda conn: _insert(db, conn, keyed, choice, at, hooks))
    except IntegrityError:
        known = _known_key(db, keyed)  # somebody with the same key was faster
        if known is None:
            raise
        return known if request.idempotency_key else replace(known, created=True)
    if submitted.total > wake_above:
        db.notify()
    if planned is None:
        return submitted
    return replace(submitted, changes=changes(planned, groups_of(choice)))


def _require_some(request: BackfillRequest, choice: Choice) -> None:
    if choice.selected.count:
        return
    groups = skipped_groups(choice.selected)
    told = ", ".join(f"{group.count:,} {group.sentence}" for group in groups)
    raise NothingToRun(
        f'Nothing is left to run of what is selected of set "{request.partition_set}": {told}. '
        "To run it all the same, reprocess all (--reprocess all).",
        left_out={group.reason: group.count for group in groups},
        reprocess=choice.reprocess.value,
    )


def _known_key(db: Database, request: BackfillRequest) -> Submitted | None:
    if request.idempotency_key is None:
        return None
    with db.read() as conn:
        row = conn.execute(
            db.sql(
                "SELECT id, total, left_out, request_hash FROM backfills "
                "WHERE idempotency_key = :key"
            ),
            {"key": request.idempotency_key},
        ).first()
    if row is None:
        return None
    if row.request_hash != request.fingerprint():
        raise Conflict(
            f"Idempotency key {request.idempotency_key!r} was used for backfill {row.id} with "
            "another request. Use a new key for a new backfill."
        )
    return Submitted(row.id, row.total, created=False, left_out=decoded(row.left_out))


def _insert(
    db: Database,
    conn: Connection,
    request: BackfillRequest,
    choice: Choice,
    at: datetime,
    hooks: Sequence[HookInfo],
) -> Submitted:
    chosen = choice.selected
    left_out = {group.reason: group.count for group in skipped_groups(chosen)}
    pools = choice.pipeline.slots_needed(choice.steps)
    register_pools(db, conn, pools)
    backfill_id = moves.create_backfill(
        db,
        conn,
        {
            "set_id": set_id(db, conn, request.partition_set),
            "pipeline_id": pipeline_id(db, conn, choice.pipeline.name),
            "selection": request.selection,
            "selected_at": int(at.timestamp() * 1e6),
            "reprocess": choice.reprocess.value,
            "left_out": left_out,
            "code_version": choice.code_version,
            "hooks": [{"name": h.name, "events": list(h.events)} for h in hooks] or None,
            "quiet": request.quiet,
            "total": chosen.count,
            "max_active_runs": request.max_active_runs,
            "priority": request.priority,
            "max_failures": request.max_failures,
            "queue": choice.tags.get(QUEUE_TAG),
            "tags": dict(choice.tags),
            "run_config": request.run_config,
            "steps": list(choice.chosen) if choice.chosen else None,
            "note": request.note,
            "created_by": request.created_by,
            "idempotency_key": request.idempotency_key,
            "request_hash": request.fingerprint(),
            **guard_columns(request),
            **limit_columns(request, db.clock(conn)),
            "cloned_from": request.cloned_from,
            "partitions_per_run": choice.partitions_per_run,
            **order_columns(request),
            "pools": pools or None,
        },
    )
    keep_ranges(db, conn, backfill_id, chosen.key_ranges)
    note_event(
        db,
        conn,
        kind="backfill.submitted",
        message=f"{chosen.count} partitions of {request.partition_set} requested",
        backfill_id=backfill_id,
        actor=request.created_by,
        facts={"reprocess": choice.reprocess.value, "left_out": left_out},
    )
    return Submitted(backfill_id, chosen.count, created=True, left_out=left_out)


def keep_ranges(
    db: Database,
    conn: Connection,
    backfill_id: int,
    key_ranges: Sequence[KeyRange],
    *,
    first_index: int = 0,
) -> None:
    """Keep ranges of keys as a part of a backfill's selection that begins at a place."""
    sizes = [key_range.size for key_range in key_ranges]
    columns: dict[str, Sequence[Any]] = {
        "first_index": list(accumulate(sizes, initial=first_index))[:-1],
        "first_key": [key_range.first for key_range in key_ranges],
        "last_key": [key_range.last for key_range in key_ranges],
        "count": sizes,
    }
    db.bulk_insert(conn, backfill_ranges, columns, {"backfill_id": backfill_id})
