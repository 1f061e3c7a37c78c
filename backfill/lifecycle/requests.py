"""What a person asks for when they ask for a backfill."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backfill.errors import Invalid
from backfill.lifecycle.guarding import check_guards
from backfill.lifecycle.limits import check_limits
from backfill.lifecycle.ordering import check_order

QUEUE_TAG = "queue"


@dataclass(frozen=True)
class BackfillRequest:
    """What a person asks for.

    Attributes:
        run_config: Merged over every partition's own.
        ordering: `oldest`, `newest`, `listed` (as the selection names them) or `weight` (the
            heaviest first).
        sequential: One at a time, in order; a retry keeps its place.
        depends_on_previous: Each also waits until the partition before it in the set succeeded.
        windows: When its runs may start: texts as `hours.parse_hours` reads, or as JSON has them.
        reprocess: `missing`, `failed`, `all` or `stale`. When not given: `all` where the selection
            names statuses or steps are chosen, else `missing`.
        quiet: The hooks of its steps are not called.
        canary: So many partitions, spread over the selection, run first and alone.
        canary_percent: Of them at least this share must succeed before the rest starts.
        canary_only: Only the canary is run.
        breaker: After which failures it pauses; fields of `breaker.Breaker`.
        on_conflict: `wait`, `skip` or `refuse` when another run has a partition.
        limit: Only so many partitions, those that would go first.
        sample: Only so many partitions, spread over the selection.
        run_timeout_seconds: How long an attempt of one of its runs may take.
        timeout_seconds: How long it may take as a whole; `on_timeout` says whether what is left is
            then canceled (`cancel`) or paused (`pause`).
        cloned_from: The backfill it was made from.
        partitions_per_run: So many neighbours are run together, 0 for all of them; as the set's
            policy says when None.
    """

    partition_set: str
    selection: str
    max_active_runs: int | None = None
    priority: int = 0
    ordering: str = "oldest"
    max_failures: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    run_config: Mapping[str, Any] | None = None
    steps: Sequence[str] | None = None
    note: str | None = None
    created_by: str | None = None
    idempotency_key: str | None = None
    reprocess: str | None = None
    quiet: bool = False
    canary: int | None = None
    canary_percent: int = 100
    canary_only: bool = False
    breaker: Mapping[str, int] | None = None
    on_conflict: str = "wait"
    limit: int | None = None
    sample: int | None = None
    run_timeout_seconds: float | None = None
    timeout_seconds: float | None = None
    on_timeout: str = "cancel"
    cloned_from: int | None = None
    partitions_per_run: int | None = None
    sequential: bool = False
    depends_on_previous: bool = False
    windows: Sequence[str | Mapping[str, Any]] | None = None

    def fingerprint(self) -> str:
        """Return a hash of what is asked, to tell a repeated request from another one."""
        asked = {k: v for k, v in self.__dict__.items() if k not in {"created_by"}}
        return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


def check_numbers(request: BackfillRequest) -> None:
    """Raise Invalid for a limit or an order that makes no sense."""
    if request.max_active_runs is not None and request.max_active_runs < 1:
        raise Invalid("max_active_runs must be at least 1; leave it out for no limit.")
    if request.max_failures < 0:
        raise Invalid("max_failures must be 0 or more.")
    check_guards(request)
    check_limits(request)
    check_order(request)
