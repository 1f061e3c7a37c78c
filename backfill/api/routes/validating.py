"""Validating: the run config of every partition of a request, told while it goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from backfill.api.asking import as_request
from backfill.api.context import Api
from backfill.api.door import needs
from backfill.errors import BackfillError
from backfill.lifecycle import planning
from backfill.lifecycle.validating import ConfigCheck
from backfill.roles import Role
from backfill.schemas.backfills import BackfillRequest, Validated

router = APIRouter(prefix="/backfills", tags=["backfills"])

_DESCRIPTION: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A line of JSON after every chunk, with what was found so far.",
        "content": {
            "application/x-ndjson": {
                "example": '{"checked":1000,"of":1461,"invalid":0,"problems":[],"error":null}\n'
            }
        },
    }
}


@router.post("/plan/validation", response_class=StreamingResponse, responses=_DESCRIPTION)
@needs(Role.VIEWER)
def validate_backfill(api: Api, body: BackfillRequest) -> StreamingResponse:
    """Validate the run config of every partition that submitting the same body would run.

    Each line tells how many were `checked` so far, how many of those are `invalid`, and the first
    problems. When the definitions stop answering, the last line carries their `error`.
    """
    request, at = as_request(body), api.clock()
    choice = planning.choose(
        api.db, api.definitions, request, at=at, limit=api.settings.max_partitions
    )
    progress = planning.validate(api.definitions, request, choice, at=at)
    return StreamingResponse(
        _lines(progress, choice.selected.count),
        media_type="application/x-ndjson",
        headers={"Content-Encoding": "identity"},  # compressing would hold lines back
    )


def _lines(progress: Iterator[ConfigCheck], count: int) -> Iterator[str]:
    last = ConfigCheck(0, 0, ())
    try:
        for last in progress:
            yield _line(last, count)
    except BackfillError as error:
        yield _line(last, count, {"code": error.code, "detail": error.detail})


def _line(found: ConfigCheck, count: int, error: dict[str, str] | None = None) -> str:
    told = Validated.model_validate({**vars(found), "of": count, "error": error})
    return json.dumps(told.model_dump(mode="json"), separators=(",", ":")) + "\n"
