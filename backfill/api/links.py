"""Links of the OpenAPI document: what of one answer names which thing of another route."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def links(parameter: str, operations: Sequence[str]) -> dict[str, Any]:
    """Return links from an answer's `id` to operations that take it as a path parameter."""
    return {
        operation: {"operationId": operation, "parameters": {parameter: "$response.body#/id"}}
        for operation in operations
    }


OF_BACKFILL = links(
    "backfill_id",
    (
        "get_one_backfill",
        "get_runs_of_backfill",
        "get_events_of_backfill",
        "get_why_of_backfill",
        "get_drift",
        "pause_backfill",
        "resume_backfill",
        "cancel_backfill",
        "retry_backfill",
        "edit_backfill",
        "clone_backfill",
    ),
)
OF_RUN = links(
    "run_id",
    (
        "get_one_run",
        "get_steps_of_run",
        "get_logs_of_run",
        "get_events_of_run",
        "get_why_of_run",
        "cancel_run",
        "reexecute_run",
        "get_lineage_of_run",
    ),
)
