"""The runs of a tick: which of its partitions are on their way already, and runs of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from backfill.definitions.calls import TickRun
from backfill.definitions.catalog import Catalog, PipelineInfo, ScheduleInfo
from backfill.definitions.tags import PRIORITY_TAG, SCHEDULE_TAG
from backfill.lifecycle import moves
from backfill.lifecycle.names import pipeline_id, set_id
from backfill.lifecycle.pooling import register_pools
from backfill.lifecycle.requests import QUEUE_TAG
from backfill.settings import get_settings
from backfill.storage.database import Database, decoded, to_json
from backfill.storage.queries.blocks import blocks_of
from backfill.storage.queries.statuses import InFlight, Looked, in_flight, set_of

TICK_TAG = "backfill/tick"
HIGHEST_PRIORITY = 1000


@dataclass(frozen=True)
class Plan:
    """A schedule with its pipeline, from one catalog."""

    schedule: ScheduleInfo
    pipeline: PipelineInfo

    @classmethod
    def of(cls, catalog: Catalog, name: str) -> Plan:
        """Look a schedule up; raises NotFound."""
        schedule = catalog.schedule(name)
        return cls(schedule, catalog.pipeline(schedule.pipeline))


def busy_partitions(
    db: Database, conn: Connection, schedule: ScheduleInfo, wanted: Sequence[TickRun]
) -> Mapping[str, InFlight]:
    """Return those of the partitions of which another run is pending, queued or running."""
    keys = [run.partition for run in wanted if run.partition is not None]
    if schedule.partition_set is None or not keys:
        return {}
    known = set_of(db, conn, schedule.partition_set)
    if known is None:
        return {}
    return {found.partition: found for found in in_flight(db, conn, Looked(known, only=keys))}


def blocked_partitions(
    db: Database, conn: Connection, schedule: ScheduleInfo, wanted: Sequence[TickRun]
) -> Mapping[str, str]:
    """Return those of the partitions that are blocked, and why."""
    keys = [run.partition for run in wanted if run.partition is not None]
    if schedule.partition_set is None or not keys:
        return {}
    return blocks_of(db, conn, schedule.partition_set, keys)


def make_runs(
    db: Database,
    conn: Connection,
    plan: Plan,
    wanted: Sequence[TickRun],
    *,
    tick_id: int,
    tick_at: datetime,
) -> list[int]:
    """Make the runs of a tick, pending. Return their ids, in order."""
    if not wanted:
        return []
    schedule = plan.schedule
    pools = plan.pipeline.slots_needed(schedule.step_selection)
    register_pools(db, conn, pools)
    shared = {
        "pipeline_id": pipeline_id(db, conn, schedule.pipeline),
        "max_failures": schedule.max_failures,
        "steps": list(schedule.step_selection) if schedule.step_selection else None,
        "tick_id": tick_id,
        "pools": pools or None,
    }
    of_set = None if schedule.partition_set is None else set_id(db, conn, schedule.partition_set)
    own = {SCHEDULE_TAG: schedule.name, TICK_TAG: tick_at.isoformat()}
    return moves.create_runs(
        db,
        conn,
        [
            {
                **shared,
                "set_id": None if run.partition is None else of_set,
                **_of_run(run, {**plan.pipeline.tags, **run.tags, **own}),
            }
            for run in wanted
        ],
    )


def _of_run(run: TickRun, tags: Mapping[str, str]) -> dict[str, Any]:
    return {
        "partition": run.partition,
        "run_key": run.run_key,
        "sort": -_priority(tags),
        "queue": tags.get(QUEUE_TAG),
        "tags": decoded(to_json(tags)),
        "run_config": decoded(to_json(run.run_config)) if run.run_config else None,
        "override": decoded(to_json(run.run_config)) if run.run_config else None,
    }


def _priority(tags: Mapping[str, str]) -> int:
    """Return the priority that a tag gives, that of all schedules where it gives no number."""
    usual = get_settings().schedule_priority
    try:
        wanted = int(tags.get(PRIORITY_TAG, str(usual))[:9])
    except ValueError:
        return usual
    return max(-HIGHEST_PRIORITY, min(HIGHEST_PRIORITY, wanted))
