"""From the bodies of requests to what the verbs take."""

from __future__ import annotations

from backfill.lifecycle.requests import BackfillRequest
from backfill.schemas import backfills as schemas


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
