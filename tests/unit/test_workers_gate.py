"""The gate lets in what a coordinator sends, and nothing else, whatever it is."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.coordinator.broker import TASK, celery_config
from backfill.settings import Settings
from workers.gate import MAX_RUNS, are_run_ids, problem_of

GOOD_HEADERS = {"task": TASK, "id": "8c1f"}
GOOD_BODY = [[], {"run_ids": [1, 2]}, {"callbacks": None, "chain": None}]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def message(
    body: Any = GOOD_BODY,
    headers: Any = GOOD_HEADERS,
    content_type: Any = "application/json",
    content_encoding: Any = "utf-8",
) -> Any:
    raw = body if isinstance(body, str | bytes) else json.dumps(body)
    return SimpleNamespace(
        body=raw, headers=headers, content_type=content_type, content_encoding=content_encoding
    )


def test_what_the_coordinators_celery_sends_gets_in() -> None:
    app = Celery("sender", set_as_current=False)
    app.conf.update(celery_config(Settings()))
    app.conf.update(broker_url="memory://", broker_transport_options={})
    connection = app.connection_for_write()
    with app.amqp.Producer(connection) as producer:
        app.send_task(
            TASK,
            kwargs={"run_ids": [7]},
            task_id="8c1f",
            queue="q",
            producer=producer,
            argsrepr="(tiny: mon)",
            kwargsrepr="runs 7",
            ignore_result=True,
        )
    sent = connection.default_channel.basic_get("q", no_ack=True)
    assert problem_of(sent) is None
    connection.release()
    app.close()


def test_a_newer_coordinators_headers_get_in_too() -> None:
    assert problem_of(message(headers={**GOOD_HEADERS, "trace": {"of": "later"}})) is None


@pytest.mark.parametrize(
    "headers",
    [
        None,
        [],
        {},
        {"task": TASK},
        {"task": TASK, "id": 7},
        {"task": TASK, "id": "x" * 300},
        {"task": "celery.map", "id": "8c1f"},
        {"task": [TASK], "id": "8c1f"},
        {**GOOD_HEADERS, "eta": "2030-01-01"},
        {**GOOD_HEADERS, "expires": 1},
        {**GOOD_HEADERS, "timelimit": 5},
        {**GOOD_HEADERS, "timelimit": ["a", None]},
        {**GOOD_HEADERS, "argsrepr": {"an": "object"}},
        {**GOOD_HEADERS, "stamps": {"a": "b"}},
    ],
)
def test_headers_that_are_not_ours_stay_out(headers: Any) -> None:
    assert problem_of(message(headers=headers)) is not None


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[",
        "[" * 100_000,
        b"\x80\x04\x95",
        f'[[], {{"run_ids": [{"9" * 5000}]}}, {{}}]',
        [[1], {"run_ids": [1]}, {}],
        [[], {"run_ids": "1"}, {}],
        [[], {"run_ids": [1], "more": 1}, {}],
        [[], {"run_ids": [1]}, {"chain": [{"task": "os.system"}]}],
        [[], {"run_ids": [1]}],
        {"task": TASK, "kwargs": {"run_ids": [1]}},
    ],
)
def test_content_that_is_not_ours_stays_out(body: Any) -> None:
    assert problem_of(message(body)) is not None


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        ("application/x-python-serialize", "binary"),
        ("application/x-yaml", "utf-8"),
        ("application/json", "latin-1"),
        (None, None),
    ],
)
def test_other_kinds_of_content_stay_out(content_type: Any, encoding: Any) -> None:
    refused = message(content_type=content_type, content_encoding=encoding)
    assert problem_of(refused) == "its content is not JSON"


def test_a_very_long_message_is_not_even_read() -> None:
    assert problem_of(message("[" + " " * 500_000 + "]")) == "it is too long"


@pytest.mark.parametrize("value", [None, "1", (1,), {1}, [0], [-1], [True], [1.0], [2**63], ["1"]])
def test_only_lists_of_integers_that_a_database_can_hold_are_run_ids(value: object) -> None:
    assert not are_run_ids(value)


def test_run_ids_are_many_at_most() -> None:
    assert are_run_ids([])
    assert are_run_ids([1, 2**63 - 1])
    assert are_run_ids([1] * MAX_RUNS)
    assert not are_run_ids([1] * (MAX_RUNS + 1))


@settings(max_examples=60)
@given(headers=json_values, body=json_values | st.text() | st.binary())
def test_nothing_that_can_be_sent_gets_through_or_breaks_the_gate(headers: Any, body: Any) -> None:
    assert problem_of(message(body, headers)) is not None
    assert problem_of(message(body, GOOD_HEADERS)) is not None
    if isinstance(headers, dict):
        problem_of(message(GOOD_BODY, {**headers, **GOOD_HEADERS}))
