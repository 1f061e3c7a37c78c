"""Planning, submitting and finding backfills."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backfill.client.handles import BackfillHandle
from backfill.client.partitions import validations
from backfill.client.requests import Requests, listed, new_key, part
from backfill.definitions.hours import parse_hours
from backfill.schemas.backfills import Backfill, Plan, Submitted, Validated
from backfill.states import BackfillState


class BackfillRequests(Requests):
    """Backfills: plan, submit, look at."""

    def plan(
        self,
        partition_set: str,
        selection: str = "all",
        *,
        partition: str | None = None,
        **wanted: Any,
    ) -> Plan:
        """Say what `submit` with the same arguments would do, and why.

        Args:
            partition: Show the run config of this one instead of the first.
        """
        body = _asked(partition_set, selection, wanted)
        params = {"partition": partition}
        told = self.transport.send("POST", "/backfills/plan", params=params, body=body)
        return Plan.model_validate(told)

    def validate(
        self, partition_set: str, selection: str = "all", **wanted: Any
    ) -> Iterator[Validated]:
        """Validate the config of every partition `submit` would run; yield how far it is."""
        return validations(self.transport, _asked(partition_set, selection, wanted))

    def submit(
        self,
        partition_set: str,
        selection: str = "all",
        *,
        max_active_runs: int | None = None,
        priority: int = 0,
        ordering: str = "oldest",
        max_failures: int = 0,
        tags: Mapping[str, str] | None = None,
        run_config: Mapping[str, Any] | None = None,
        steps: Sequence[str] | None = None,
        note: str | None = None,
        reprocess: str | None = None,
        quiet: bool = False,
        planned: Mapping[str, int] | None = None,
        idempotency_key: str | None = None,
        sequential: bool = False,
        depends_on_previous: bool = False,
        windows: Sequence[str | Mapping[str, Any]] | None = None,
        **more: Any,
    ) -> BackfillHandle:
        """Submit a backfill.

        Args:
            ordering: `oldest`, `newest`, `listed` (as the selection names them) or `weight`.
            sequential: One partition at a time, in order; a retry keeps its place.
            depends_on_previous: Each also waits until the partition before it succeeded.
            windows: When its runs may start: texts such as `mon-fri 20:00-06:00 Europe/Zurich`,
                or as the API has them.
            more: Further fields of the request by name: `canary`, `canary_percent`, `canary_only`,
                `breaker`, `on_conflict`, `limit`, `sample` and so on.
            selection: `all`, keys, inclusive ranges `[a...b]`, joined by commas.
            reprocess: `missing` (all but what succeeded), `failed`, `all` or `stale`; when not
                given, `all` where the selection names statuses or steps are chosen, else `missing`.
            quiet: Call no hooks of its steps.
            planned: The `counts` of a plan; the handle's `info.changes` says what changed since.
            idempotency_key: Give the same one again to get the same backfill; drawn at random
                when not given, so that a retried request makes only one.
        """
        body = _asked(
            partition_set,
            selection,
            {
                "max_active_runs": max_active_runs,
                "priority": priority,
                "ordering": ordering,
                "max_failures": max_failures,
                "tags": tags,
                "run_config": run_config,
                "steps": steps,
                "note": note,
                "reprocess": reprocess,
                "quiet": quiet or None,
                "planned": planned,
                "sequential": sequential or None,
                "depends_on_previous": depends_on_previous or None,
                "windows": windows,
                **more,
            },
        )
        told = self.transport.send(
            "POST", "/backfills", body=body, idempotency_key=idempotency_key or new_key()
        )
        return BackfillHandle(self.transport, Submitted.model_validate(told))

    def backfill(self, backfill_id: str | int) -> BackfillHandle:
        """Return a backfill."""
        told = self._get(f"/backfills/{part(str(backfill_id))}")
        return BackfillHandle(self.transport, Backfill.model_validate(told))

    def backfills(
        self,
        *,
        states: Sequence[BackfillState | str] | None = None,
        partition_set: str | None = None,
        pipeline: str | None = None,
    ) -> Iterator[Backfill]:
        """Iterate over backfills, newest first."""
        wanted = {"state": listed(states), "partition_set": partition_set, "pipeline": pipeline}
        return self.pages("/backfills", Backfill, wanted)


def _asked(partition_set: str, selection: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in wanted.items() if value is not None}
    if "windows" in given:
        given["windows"] = [
            parse_hours(window).packed() if isinstance(window, str) else window
            for window in given["windows"]
        ]
    return {"partition_set": partition_set, "selection": selection, **given}
