"""Preparing runs: their pipeline, partition and config, as this worker's definitions say now."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Row

from backfill.definitions.merging import merged
from backfill.execution.engine import ExecutionPlan, compile_plan
from backfill.execution.outcomes import RunInfo
from backfill.lifecycle.dynamic import keys_of_run
from backfill.settings import Settings
from backfill.storage.database import Database, decoded
from workers.earlier import NOTHING, earlier
from workers.loading import Loader
from workers.partitions import Places, whole_window

BACKFILL_CACHE_SECONDS = 5.0


class Prepared(NamedTuple):
    """What the engine needs of one attempt of a run.

    Attributes:
        done: Step -> kept outputs, of steps that succeeded before and are not executed again.
        tried: Step -> tries in earlier attempts that ended waiting for a retry.
        quiet: No hook is told what becomes of its steps.
        timeout_seconds: How long the attempt may take.
    """

    plan: ExecutionPlan
    info: RunInfo
    config: Mapping[str, Any]
    done: Mapping[str, Mapping[str, str]]
    tried: Mapping[str, int]
    quiet: bool = False
    timeout_seconds: float | None = None


@dataclass(frozen=True)
class _BackfillFacts:
    """What the runs of a backfill share."""

    run_config: Mapping[str, Any] | None
    tags: Mapping[str, str]
    steps: tuple[str, ...] | None
    selected_at: int = 0
    code_version: str | None = None
    quiet: bool = False
    run_timeout_seconds: float | None = None


_ALONE = _BackfillFacts(None, {}, None)


class Preparer:
    """Prepares the runs of one worker process, and remembers what they share."""

    def __init__(self, settings: Settings, db: Database) -> None:
        self._db = db
        self._loader = Loader(settings.definition_sources(), reloads=settings.reload)
        self._plans: dict[tuple[str, tuple[str, ...] | None], ExecutionPlan] = {}
        self._backfills: dict[int, tuple[float, _BackfillFacts]] = {}
        self._places = Places()
        self._names: dict[str, dict[int, str]] = {"pipelines": {}, "partition_sets": {}}

    def refresh(self) -> None:
        """Take the definitions as they are now; called between two messages."""
        if self._loader.refresh():
            self._plans.clear()

    @property
    def code(self) -> tuple[str | None, str | None]:
        """The version of the definitions, and why they, or newer ones, could not be loaded."""
        return self._loader.standing

    def prepare(self, row: Row[Any], others: Sequence[Row[Any]] = ()) -> Prepared:
        """Find the pipeline and resolve tags and config of a claimed run.

        Args:
            others: Those of the partitions behind it that are executed together with it.

        Raises:
            DefinitionsUnavailable: They could not be loaded.
            NotFound: They have no such pipeline or partition set.
            PartitionGone: The set does not have the partition.
            BackfillError: Other faults of the definitions or the config.
        """
        registry = self._loader.registry
        facts = self._backfill(row.backfill_id) if row.backfill_id is not None else _ALONE
        name = self._name("pipelines", row.pipeline_id)
        tags = {**facts.tags, **(decoded(row.tags) or {})}
        config: Mapping[str, Any] = {}
        partition = window = None
        set_name = None
        chosen = _tuple(decoded(row.steps)) or facts.steps
        if row.partition is not None:
            set_name = self._name("partition_sets", row.set_id)
            partition_set = registry.partition_set(set_name)
            places = [
                self._places.find(
                    partition_set,
                    one.partition,
                    datetime.fromtimestamp(max(row.at, facts.selected_at) / 1e6, UTC),
                    dynamic_keys=partial(keys_of_run, self._db),
                    same_code=facts.code_version == registry.version,
                )
                for one in (row, *others)
            ]
            partition, window = places[0]
            if others:
                window = whole_window(places)
                parts = [place.partition for place in places]
                config = partition_set.run_config_for_range(parts, window)
            else:
                config = partition_set.run_config_for_partition(partition)
            tags = {**partition_set.tags_for_partition(partition), **tags}
            chosen = chosen or _tuple(partition_set.solid_selection)
        config = merged(merged(config, facts.run_config), decoded(row.run_config))
        info = RunInfo(
            run_id=row.id,
            attempt=row.attempt,
            pipeline_name=name,
            backfill_id=row.backfill_id,
            partition_set=set_name,
            partition_keys=tuple(one.partition for one in (row, *others) if one.partition),
            partition=None if others else partition,
            time_window=window,
            tags=tags,
            failures=row.failures,
        )
        plan = self._plan(name, chosen)
        done, tried = NOTHING if others else earlier(self._db, row, plan)
        timeout = row.timeout_seconds or facts.run_timeout_seconds or plan.pipeline.timeout_seconds
        return Prepared(plan, info, config, done, tried, facts.quiet, timeout)

    def _plan(self, name: str, steps: tuple[str, ...] | None) -> ExecutionPlan:
        key = (name, steps)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = compile_plan(self._loader.registry.pipeline(name), steps)
        return plan

    # -- caches -------------------------------------------------------------------------------

    def _backfill(self, backfill_id: int) -> _BackfillFacts:
        cached = self._backfills.get(backfill_id)
        now = time.monotonic()
        if cached is not None and now - cached[0] < BACKFILL_CACHE_SECONDS:
            return cached[1]
        with self._db.read() as conn:
            row = conn.execute(
                self._db.sql(
                    "SELECT run_config, tags, steps, selected_at, code_version, quiet, "
                    "run_timeout_seconds "
                    "FROM backfills WHERE id = :id"
                ),
                {"id": backfill_id},
            ).one()
        facts = _BackfillFacts(
            decoded(row.run_config),
            decoded(row.tags) or {},
            _tuple(decoded(row.steps)),
            row.selected_at,
            row.code_version,
            bool(row.quiet),
            row.run_timeout_seconds,
        )
        self._backfills[backfill_id] = (now, facts)
        return facts

    def _name(self, table: str, row_id: int) -> str:
        names = self._names[table]
        if row_id not in names:
            with self._db.read() as conn:
                rows = conn.execute(self._db.sql(f"SELECT id, name FROM {table}"))
                names.update({row.id: row.name for row in rows})
        return names[row_id]


def _tuple(value: Sequence[str] | None) -> tuple[str, ...] | None:
    return tuple(value) if value else None
