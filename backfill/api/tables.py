"""Rows as CSV and as JSON Lines, made while they are sent."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from backfill.schemas.base import Document

# What makes a spreadsheet take a cell for a formula, in its usual and its wide forms.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class Format(StrEnum):
    """CSV with a line of headers, or a JSON object per line."""

    CSV = "csv"
    JSONL = "jsonl"


MEDIA_TYPES = {Format.CSV: "text/csv; charset=utf-8", Format.JSONL: "application/x-ndjson"}


def as_csv(columns: Sequence[str], pages: Iterable[Sequence[Document]]) -> Iterator[str]:
    """Give the text of a table page by page, its headers first.

    Times are ISO 8601, what has parts is JSON, and null is an empty cell. A text that a
    spreadsheet would take for a formula gets an apostrophe before it.
    """
    yield _lines([columns])
    for page in pages:
        if page:
            yield _lines(_cells(document, columns) for document in page)


def as_json_lines(pages: Iterable[Sequence[Document]]) -> Iterator[str]:
    """Give one JSON object per line, page by page."""
    for page in pages:
        if page:
            yield "".join(document.model_dump_json() + "\n" for document in page)


def _cells(document: Document, columns: Sequence[str]) -> list[str]:
    values = document.model_dump(mode="json", include=set(columns))
    return [_cell(values[column]) for column in columns]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.lstrip(" ").startswith(_FORMULA) else value
    return json.dumps(value, ensure_ascii=False)


def _lines(rows: Iterable[Sequence[str]]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue()
