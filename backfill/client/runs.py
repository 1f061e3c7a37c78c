"""Launching and finding runs, and what is done with many of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from backfill.client.exporting import export
from backfill.client.handles import RunHandle, again
from backfill.client.requests import Requests, iso, listed, new_key, pairs, part
from backfill.schemas.exports import RunsCanceled
from backfill.schemas.reexecution import RunsReexecuted
from backfill.schemas.runs import Run, RunSteps
from backfill.states import RunState


class RunRequests(Requests):
    """Runs: launch, list, export, cancel, re-execute."""

    def launch(
        self,
        pipeline: str,
        *,
        partition_set: str | None = None,
        partition: str | None = None,
        run_config: Mapping[str, Any] | None = None,
        config_mode: str = "merge",
        tags: Mapping[str, str] | None = None,
        steps: Sequence[str] | None = None,
        priority: int = 0,
        max_failures: int = 0,
        on_conflict: str = "wait",
        idempotency_key: str | None = None,
    ) -> RunHandle:
        """Launch one run.

        Args:
            config_mode: `merge` the run config over the partition's own, or `exact`: it is all.
            on_conflict: When another run has the partition: `wait`, `skip` this run, or `refuse`.
            idempotency_key: Give the same one again to get the same run; drawn at random when not
                given, so that a retried request makes only one.
        """
        body = {
            "pipeline": pipeline,
            "partition_set": partition_set,
            "partition": partition,
            "run_config": run_config,
            "config_mode": config_mode,
            "tags": tags or {},
            "steps": steps,
            "priority": priority,
            "max_failures": max_failures,
            "on_conflict": on_conflict,
        }
        told = self.transport.send(
            "POST", "/runs", body=body, idempotency_key=idempotency_key or new_key()
        )
        return RunHandle(self.transport, Run.model_validate(told))

    def run(self, run_id: str | int) -> RunHandle:
        """Return a run."""
        told = self._get(f"/runs/{part(str(run_id))}")
        return RunHandle(self.transport, Run.model_validate(told))

    def runs(
        self,
        *,
        backfill: str | int | None = None,
        partition_set: str | None = None,
        partition: str | None = None,
        pipeline: str | None = None,
        states: Sequence[RunState | str] | None = None,
        tags: Mapping[str, str] | None = None,
        schedule: str | None = None,
        created_after: datetime | str | None = None,
        created_before: datetime | str | None = None,
    ) -> Iterator[Run]:
        """Iterate over runs, newest first.

        Args:
            tags: All of these, a run's own or its backfill's.
            schedule: Made by ticks of this schedule.
            created_after: Made at this time or later; a text is ISO 8601.
            created_before: Made before this time.
        """
        wanted = {
            "backfill": backfill,
            "partition_set": partition_set,
            "partition": partition,
            "pipeline": pipeline,
            "state": listed(states),
            "tag": pairs(tags),
            "schedule": schedule,
            "created_after": iso(created_after),
            "created_before": iso(created_before),
        }
        return self.pages("/runs", Run, wanted)

    def export(self, table: str, *, format: str = "csv", **wanted: Any) -> Iterator[bytes]:
        """Give an export of `runs` or `outcomes` as `csv` or `jsonl`, as it comes.

        Args:
            wanted: As `runs` takes.
        """
        states = listed(wanted.pop("states", None))
        tags = pairs(wanted.pop("tags", None))
        times = _times(wanted)
        params = {"format": format, "state": states, "tag": tags, **times, **wanted}
        return export(self.transport, table, params)

    def cancel_runs(
        self,
        *,
        states: Sequence[RunState | str] | None = None,
        limit: int = 1_000,
        note: str | None = None,
        **wanted: Any,
    ) -> RunsCanceled:
        """Cancel at most `limit` unfinished runs, newest first; ask again while there are `more`.

        Args:
            wanted: As `runs` takes; at least one must narrow them.
        """
        times = _times(wanted)
        body = {"state": listed(states), "limit": limit, "note": note, **times, **wanted}
        given = {name: value for name, value in body.items() if value is not None}
        return RunsCanceled.model_validate(self._post("/runs/cancel", given))

    def reexecute_runs(
        self,
        *,
        mode: str = "from_failure",
        steps: Sequence[str] | None = None,
        from_step: str | None = None,
        states: Sequence[RunState | str] | None = None,
        limit: int = 1_000,
        note: str | None = None,
        **wanted: Any,
    ) -> RunsReexecuted:
        """Re-execute at most `limit` runs that ended; ask again while there are `more`.

        Args:
            mode: `from_failure` or `all`; steps are chosen by naming them.
            states: `failed` and `canceled` when None.
            wanted: As `runs` takes; at least one must narrow them.
        """
        times = _times(wanted)
        which = {"state": listed(states), "limit": limit, "note": note, **times, **wanted}
        body = {**again(mode, steps, from_step), **which}
        given = {name: value for name, value in body.items() if value is not None}
        return RunsReexecuted.model_validate(self._post("/runs/re-execute", given))

    def steps(self, run_id: str | int) -> RunSteps:
        """Return the attempts of a run and the outcome of every step in each."""
        return RunSteps.model_validate(self._get(f"/runs/{part(str(run_id))}/steps"))


def _times(wanted: dict[str, Any]) -> dict[str, str | None]:
    """Take the times out of what is wanted, as a request says them."""
    return {name: iso(wanted.pop(name, None)) for name in ("created_after", "created_before")}
