"""Launching: one run by hand, checked against the definitions first."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from backfill.definitions.calls import Definitions
from backfill.errors import ConfigInvalid, Conflict, Invalid
from backfill.lifecycle.blocks import refuse_blocked
from backfill.lifecycle.choosing import steps_named
from backfill.lifecycle.guarding import check_conflict_policy
from backfill.lifecycle.runs import LaunchRequest, launch, launched_before
from backfill.lifecycle.submitting import QUEUE_TAG
from backfill.storage.database import Database
from backfill.storage.queries.statuses import Looked, in_flight, set_of


@dataclass(frozen=True)
class Launched:
    """The answer to a launch; `created` is False when the same request came before."""

    run_id: int
    created: bool


def launch_checked(
    db: Database, definitions: Definitions, request: LaunchRequest, *, at: datetime
) -> Launched:
    """Check the names and the config of a run, then make it, pending.

    Args:
        at: The moment the partition set is looked at.

    Raises:
        Conflict: The idempotency key was used for another request, the partition is blocked, or
            it has a run on its way and that is refused.
        NotFound: No such pipeline, partition set or partition.
        Invalid: They do not belong together, or a step is not of the pipeline.
        ConfigInvalid: The run config does not fit the pipeline.
    """
    if (known := launched_before(db, request)) is not None:
        return Launched(known, created=False)
    pipeline = definitions.catalog().pipeline(request.pipeline)
    chosen = steps_named(pipeline, request.steps)
    check_conflict_policy(request.on_conflict)
    errors, partition_tags = _resolve(definitions, request, at)
    if errors:
        raise ConfigInvalid(
            f"The run config does not fit {_what(request)}: {_told(errors)}", errors=list(errors)
        )
    _require_free(db, request)
    given = {**pipeline.tags, **request.tags}
    queue = request.queue or {**partition_tags, **given}.get(QUEUE_TAG)
    # With a key of its own, an insert that is repeated because its answer was lost is noticed.
    asked = replace(request, idempotency_key=request.idempotency_key or secrets.token_hex(16))
    pools = pipeline.slots_needed(chosen)
    made = replace(asked, tags=given, queue=queue, steps=chosen)
    run_id = launch(db, made, asked=asked, pools=pools)
    return Launched(run_id, created=True)


def _require_free(db: Database, request: LaunchRequest) -> None:
    """Raise Conflict when the partition is blocked, or is on its way and that is refused."""
    if request.partition_set is None or request.partition is None:
        return
    refuse_blocked(db, request.partition_set, [request.partition])
    if request.on_conflict != "refuse":
        return
    with db.snapshot() as conn:
        known = set_of(db, conn, request.partition_set)
        looked = None if known is None else Looked(known, only=[request.partition])
        active = [] if looked is None else in_flight(db, conn, looked)
    for run in active:
        of = f" of backfill {run.backfill_id}" if run.backfill_id is not None else ""
        raise Conflict(
            f'Refused, as asked on a conflict: partition "{run.partition}" is on its way in run '
            f"{run.run_id}{of}. Wait for it, or launch with on_conflict wait.",
            run_id=run.run_id,
            backfill_id=run.backfill_id,
        )


def _resolve(
    definitions: Definitions, request: LaunchRequest, at: datetime
) -> tuple[Sequence[Mapping[str, Any]], Mapping[str, str]]:
    """Return every error of the config the run would have, and its partition's tags."""
    if request.partition_set is None or request.partition is None:
        if request.partition_set is not None or request.partition is not None:
            raise Invalid("A partition set and a partition go together: give both or neither.")
        return definitions.validate_config(request.pipeline, request.run_config or {}), {}
    partition_set = definitions.catalog().partition_set(request.partition_set)
    if partition_set.pipeline != request.pipeline:
        raise Invalid(
            f'Partition set "{partition_set.name}" is of the pipeline "{partition_set.pipeline}", '
            f'not of "{request.pipeline}".'
        )
    resolved = definitions.run_config(
        request.partition_set, request.partition, at, override=request.run_config
    )
    return resolved.errors, resolved.tags


def _what(request: LaunchRequest) -> str:
    if request.partition is None:
        return f'pipeline "{request.pipeline}"'
    return f'pipeline "{request.pipeline}" for partition "{request.partition}"'


def _told(errors: Sequence[Mapping[str, Any]]) -> str:
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{first.get('message') or first}{more}"
