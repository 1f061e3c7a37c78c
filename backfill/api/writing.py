"""Documents of thousands of parts, written as JSON by hand.

A page of the matrix has thousands of boxes, an overview thousands of counts. To check and encode
each through its model takes many times as long as to read it. What is written here is what the
models of `backfill.schemas` would write, to the byte; a test compares them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from fastapi import Response

from backfill.storage.queries.marks import Mark
from backfill.storage.queries.matrix import Box, PartitionRow
from backfill.storage.queries.overview import RUN_ROW, Counts

SECOND = 1_000_000  # microseconds

to_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def answer(
    name: str,
    items: Iterable[str],
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> Response:
    """Return a document that has a list of JSON texts among its other members."""
    members = [*_members(before), f'"{name}":[{",".join(items)}]', *_members(after)]
    return Response(f"{{{','.join(members)}}}".encode(), media_type="application/json")


def _members(values: Mapping[str, object] | None) -> list[str]:
    return [to_text(values)[1:-1]] if values else []


# -- the matrix -----------------------------------------------------------------------------------


def row_text(row: PartitionRow, steps: Sequence[str], index: int | None) -> str:
    """Return a matrix row, its boxes in the order of the steps."""
    boxes = row.boxes
    return (
        f'{{"key":{to_text(row.key)},"index":{_number(index)},'
        f'"boxes":[{",".join([_box(boxes[step]) for step in steps])}],"runs":{row.runs},'
        f'"run_id":{_id(row.run_id)},"state":{_word(row.state)},'
        f'"backfill_id":{_id(row.backfill_id)},"started_at":{time_text(row.started_at)},'
        f'"finished_at":{time_text(row.finished_at)},"blocked":{to_text(row.blocked)},'
        f'"mark":{_mark(row.mark)}}}'
    )


def _box(box: Box) -> str:
    status, run_id, attempt, started_at, finished_at, previous, marked = box
    if run_id is None or attempt is None or started_at is None or finished_at is None:
        told = (
            f'"run_id":{_id(run_id)},"attempt":{_number(attempt)},'
            f'"started_at":{time_text(started_at)},"finished_at":{time_text(finished_at)}'
        )
    else:
        told = (
            f'"run_id":"{run_id}","attempt":{attempt},'
            f'"started_at":{time_text(started_at)},"finished_at":{time_text(finished_at)}'
        )
    tail = _USUAL if previous is None and not marked else _unusual(previous, marked=marked)
    return f'{{"status":"{status}",{told}{tail}'


_USUAL = ',"previous":null,"marked":false}'


def _unusual(previous: str | None, *, marked: bool) -> str:
    return f',"previous":{_word(previous)},"marked":{"true" if marked else "false"}}}'


def _mark(mark: Mark | None) -> str:
    if mark is None:
        return "null"
    return (
        f'{{"status":"{mark.status}","at":{time_text(mark.at)},"note":{to_text(mark.note)},'
        f'"by":{to_text(mark.by)}}}'
    )


def _id(number: int | None) -> str:
    return "null" if number is None else f'"{number}"'


def _number(number: int | None) -> str:
    return "null" if number is None else str(number)


def _word(word: str | None) -> str:
    return "null" if word is None else f'"{word}"'


def time_text(microseconds: int | None) -> str:
    """Return a time since the epoch as ISO 8601 in quotes."""
    if microseconds is None:
        return "null"
    seconds, rest = divmod(microseconds, SECOND)
    return f'{_second(seconds)}.{rest:06}Z"' if rest else f'{_second(seconds)}Z"'


@lru_cache(maxsize=8_192)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime('"%Y-%m-%dT%H:%M:%S')


# -- the overview ---------------------------------------------------------------------------------


def bucket_text(start: int, stop: int, counted: str) -> str:
    """Return a bucket of the overview; `counted` is what `counts_text` made of it."""
    return f'{{"start":{start},"stop":{stop},{counted}}}'


def counts_text(counts: Counts, steps: Sequence[str]) -> str:
    """Return the counts of a bucket, its steps in their order."""
    by_step = {step: counts[step] for step in steps if step in counts}
    return f'"runs":{to_text(counts.get(RUN_ROW, {}))},"steps":{to_text(by_step)}'
