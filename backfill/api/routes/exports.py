"""Exports of runs and step outcomes, for spreadsheets and scripts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from backfill.api.context import Api
from backfill.api.filtering import RunsWanted
from backfill.api.presenting import present_run
from backfill.api.tables import MEDIA_TYPES, Format, as_csv, as_json_lines
from backfill.schemas.base import Document
from backfill.schemas.exports import ExportedOutcome
from backfill.schemas.runs import Run
from backfill.storage.queries.exports import every_outcome, every_run

router = APIRouter(prefix="/export", tags=["export"])

FormatQuery = Annotated[
    Format, Query(description="CSV with a line of headers, or a JSON object per line.")
]
OUTCOME_COLUMNS = tuple(ExportedOutcome.model_fields)
RUN_COLUMNS = tuple(name for name in Run.model_fields if name != "run_config")


def _answers(csv_example: str, line_example: str) -> dict[int | str, dict[str, Any]]:
    return {
        200: {
            "description": "The whole table, sent while it is read.",
            "content": {
                "text/csv": {"schema": {"type": "string"}, "example": csv_example},
                "application/x-ndjson": {"schema": {"type": "string"}, "example": line_example},
            },
        }
    }


@router.get(
    "/runs",
    response_class=StreamingResponse,
    responses=_answers("id,backfill_id,…\r\n42,7,…\r\n", '{"id":"42","backfill_id":"7"}\n'),
)
def export_runs(
    api: Api, wanted: RunsWanted, format: FormatQuery = Format.CSV
) -> StreamingResponse:
    """Export every run that fits, newest first, as the list of runs shows them.

    In CSV a text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    pages = ([present_run(api, view) for view in page] for page in every_run(api.db, wanted))
    return _table("runs", format, RUN_COLUMNS, pages)


@router.get(
    "/outcomes",
    response_class=StreamingResponse,
    responses=_answers("run_id,backfill_id,…\r\n42,7,…\r\n", '{"run_id":"42","step":"load"}\n'),
)
def export_outcomes(
    api: Api, wanted: RunsWanted, format: FormatQuery = Format.CSV
) -> StreamingResponse:
    """Export the outcome of every step in every attempt of the runs that fit, newest run first.

    In CSV a text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    pages = (
        [ExportedOutcome.model_validate(row) for row in page]
        for page in every_outcome(api.db, wanted)
    )
    return _table("outcomes", format, OUTCOME_COLUMNS, pages)


def _table(
    name: str, format: Format, columns: Sequence[str], pages: Iterator[Sequence[Document]]
) -> StreamingResponse:
    read: Iterable[Sequence[Document]] = chain([next(pages)], pages)  # errors before the answer
    text = as_csv(columns, read) if format is Format.CSV else as_json_lines(read)
    return StreamingResponse(
        text,
        media_type=MEDIA_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="{name}.{format}"'},
    )
