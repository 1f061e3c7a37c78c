"""From the bodies of requests to what the verbs take."""

from __future__ import annotations

from backfill.definitions.merging import exactly
from backfill.lifecycle.requests import BackfillRequest
from backfill.lifecycle.runs import LaunchRequest
from backfill.schemas import backfills as schemas
from backfill.schemas.runs import ConfigMode, RunRequest


def as_request(
    body: schemas.BackfillRequest,
    *,
    created_by: str | None = None,
    idempotency_key: str | None = None,
) -> BackfillRequest:
    """Return what a body asks for."""
    return BackfillRequest(
        **body.model_dump(exclude={"planned"}),
        created_by=created_by,
        idempotency_key=idempotency_key,
    )


def as_launch(
    body: RunRequest, *, created_by: str | None = None, idempotency_key: str | None = None
) -> LaunchRequest:
    """Return the launch that a body asks for."""
    asked = body.model_dump(exclude={"config_mode"})
    if body.config_mode is ConfigMode.EXACT and body.partition is not None:
        asked["run_config"] = exactly(body.run_config or {})
    return LaunchRequest(**asked, created_by=created_by, idempotency_key=idempotency_key)
