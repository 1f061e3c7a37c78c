"""Documents of thousands of parts, written as JSON by hand.

A page of the matrix has thousands of boxes, an overview thousands of counts. To check and encode
each through its model takes many times as long as to read it. What is written here is what the
models of `backfill.schemas` would write, to the byte; a test compares them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from json.encoder import encode_basestring

from fastapi import Response

from backfill.storage.queries.marks import Mark
from backfill.storage.queries.matrix import Box, PartitionRow, ToldBoxes
from backfill.storage.queries.overview import RUN_ROW, Counts

SECONDS_REMEMBERED = 10_000

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
    if isinstance(row.boxes, ToldBoxes):
        boxes = _told(row.boxes, steps)
    else:
        boxes = _boxes(map(row.boxes.__getitem__, steps))
    return (
        f'{{"key":{_quoted(row.key)},"index":{_number(index)},'
        f'"boxes":[{boxes}],"runs":{row.runs},'
        f'"run_id":{_id(row.run_id)},"state":{_word(row.state)},'
        f'"backfill_id":{_id(row.backfill_id)},"started_at":{time_text(row.started_at)},'
        f'"finished_at":{time_text(row.finished_at)},"blocked":{_quoted(row.blocked)},'
        f'"mark":{_mark(row.mark)}}}'
    )


def _told(told: ToldBoxes, steps: Sequence[str]) -> str:
    """Return the boxes of a row as its newest run tells them, without making them."""
    written: list[str] = []
    run_id = _id(told.run_id)
    known, tried = "", 0
    for step in steps:
        outcome = told.outcomes[step]
        attempt, state = outcome[2], outcome[3]
        if state != known or attempt != tried:
            known, tried = state, attempt
            status = (told.latest if attempt == told.attempt else told.earlier)[state]
            head = f'{{"status":"{status}","run_id":{run_id},"attempt":{attempt},"started_at":'
        written.append(
            f'{head}{time_text(outcome[4])},"finished_at":{time_text(outcome[5])},'
            '"previous":null,"marked":false}'
        )
    return ",".join(written)


def _boxes(boxes: Iterable[Box]) -> str:
    """Return the boxes of a row; most begin and end like the one before."""
    written: list[str] = []
    known: tuple[object, ...] = ()
    for box in boxes:
        status, run_id, attempt, started_at, finished_at, previous, marked = box
        said = (status, run_id, attempt, previous, marked)
        if said != known:
            known = said
            head = f'{{"status":"{status}","run_id":{_id(run_id)},"attempt":{_number(attempt)},'
            tail = f',"previous":{_word(previous)},"marked":{"true" if marked else "false"}}}'
        written.append(
            f'{head}"started_at":{time_text(started_at)},"finished_at":{time_text(finished_at)}'
            f"{tail}"
        )
    return ",".join(written)


def _mark(mark: Mark | None) -> str:
    if mark is None:
        return "null"
    return (
        f'{{"status":"{mark.status}","at":{time_text(mark.at)},"note":{_quoted(mark.note)},'
        f'"by":{_quoted(mark.by)}}}'
    )


def _quoted(text: str | None) -> str:
    return "null" if text is None else encode_basestring(text)


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
    second = microseconds // 1_000_000
    rest = microseconds - second * 1_000_000
    if not rest:
        return _SECONDS[second] + 'Z"'
    thousands = rest // 1_000
    return _SECONDS[second] + _THOUSANDS[thousands] + _ONES[rest - thousands * 1_000]


class _Seconds(dict[int, str]):
    """Seconds as text, the latest of them remembered: the thousands of a page share them."""

    def __missing__(self, second: int) -> str:
        if len(self) >= SECONDS_REMEMBERED:
            self.clear()
        text = datetime.fromtimestamp(second, UTC).strftime('"%Y-%m-%dT%H:%M:%S')
        self[second] = text
        return text


# A time is put together of three parts: to format its microseconds would take twice the time.
_SECONDS = _Seconds()
_THOUSANDS = [f".{n:03}" for n in range(1_000)]
_ONES = [f'{n:03}Z"' for n in range(1_000)]


# -- the overview ---------------------------------------------------------------------------------


def bucket_text(start: int, stop: int, counted: str) -> str:
    """Return a bucket of the overview; `counted` is what `counts_text` made of it."""
    return f'{{"start":{start},"stop":{stop},{counted}}}'


def counts_text(counts: Counts, steps: Sequence[str]) -> str:
    """Return the counts of a bucket, its steps in their order."""
    by_step = {step: counts[step] for step in steps if step in counts}
    return f'"runs":{to_text(counts.get(RUN_ROW, {}))},"steps":{to_text(by_step)}'
