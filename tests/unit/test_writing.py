"""What is written by hand is what the models write, to the byte."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.api.writing import answer, bucket_text, counts_text, row_text
from backfill.schemas.matrix import MatrixPage, MatrixRow
from backfill.schemas.overview import Overview
from backfill.states import BoxStatus, RunState, StepState
from backfill.storage.queries import matrix
from backfill.storage.queries.marks import Mark
from backfill.storage.queries.matrix import Box, PartitionRow, ToldBoxes
from backfill.storage.queries.overview import RUN_ROW, summed

STEPS = ("extract", "load")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ids = st.integers(1, 2**63 - 1)
times = st.integers(0, 4_000_000_000_000_000) | st.integers(0, 4_000_000_000).map(
    lambda second: second * 1_000_000
)
statuses = st.sampled_from(BoxStatus)
boxes = st.builds(
    Box,
    statuses,
    st.none() | ids,
    st.none() | st.integers(0, 100),
    st.none() | times,
    st.none() | times,
    st.none() | statuses,
    st.booleans(),
)
tries = st.integers(1, 3)
told = st.builds(
    lambda run, attempt, state, outcomes: ToldBoxes(
        matrix._Run(run, state, True, attempt, None, False),
        STEPS,
        {step: (run, step, *outcome) for step, outcome in outcomes.items()},
    ),
    ids,
    tries,
    st.sampled_from(RunState),
    st.fixed_dictionaries(
        {
            step: st.tuples(tries, st.sampled_from(StepState), st.none() | times, st.none() | times)
            for step in STEPS
        }
    ),
)
marks = st.builds(
    Mark,
    st.sampled_from([BoxStatus.SUCCEEDED, BoxStatus.MISSING]),
    times,
    st.none() | texts,
    st.none() | texts,
)
rows = st.builds(
    PartitionRow,
    texts,
    st.fixed_dictionaries({step: boxes for step in STEPS}) | told,
    st.integers(0, 1000),
    st.none() | ids,
    st.none() | st.sampled_from(RunState),
    st.none() | ids,
    st.none() | times,
    st.none() | times,
    st.none() | texts,
    st.none() | marks,
)


def modelled(row: PartitionRow, index: int | None) -> MatrixRow:
    drawn = [row.boxes[step] for step in STEPS]
    return MatrixRow.model_validate({**row._asdict(), "index": index, "boxes": drawn})


@settings(max_examples=150, deadline=None)
@given(rows, st.none() | st.integers(0, 10**9))
def test_a_row_of_the_matrix(row: PartitionRow, index: int | None) -> None:
    assert row_text(row, STEPS, index) == modelled(row, index).model_dump_json()


def test_a_page_of_the_matrix() -> None:
    row = PartitionRow('day "one"', {step: Box(BoxStatus.MISSING) for step in STEPS})
    after: dict[str, Any] = {
        "next": None,
        "partition_set": "días",
        "pipeline": "work",
        "steps": STEPS,
        "count": 2,
        "place": 0,
        "order": "oldest",
    }
    items = [modelled(row, 0), modelled(row, None)]
    wanted = MatrixPage(items=items, **{**after, "steps": list(STEPS)}).model_dump_json()
    written = [row_text(row, STEPS, index) for index in (0, None)]
    assert bytes(answer("items", written, after=after).body).decode() == wanted


by_status = st.dictionaries(st.sampled_from([s.value for s in BoxStatus]), st.integers(0, 500))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from([*STEPS, RUN_ROW, "gone"]), by_status), max_size=3))
def test_an_overview_counts_every_partition_once(blocks: list[dict[str, dict[str, int]]]) -> None:
    size = 100_000
    counted = counts_text(summed(map(json.dumps, blocks), size, STEPS), STEPS)
    before = {"partition_set": "days", "steps": STEPS, "count": size}
    page = answer("buckets", [bucket_text(0, size, counted)], before=before)
    body = bytes(page.body).decode()
    (bucket,) = Overview.model_validate_json(body).buckets
    assert [sum(shown.values()) for shown in (bucket.runs, *bucket.steps.values())] == [size] * 3
    assert list(bucket.steps) == list(STEPS)
    assert Overview.model_validate_json(body).model_dump_json() == body
