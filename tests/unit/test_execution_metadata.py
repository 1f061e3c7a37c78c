"""Metadata of steps: what is kept, in which form, within which bounds."""

from __future__ import annotations

import datetime
import decimal
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill import JsonValue, MarkdownValue, Metadata, PathValue, SizeValue, UrlValue
from backfill.definitions.redaction import Redactor
from backfill.execution.faults import MetadataWrong
from backfill.execution.metadata import MAX_ENTRIES, add_metadata

PLAIN = Redactor(())


def kept(entries: Any, redactor: Redactor = PLAIN) -> dict[str, Any]:
    into: dict[str, Any] = {}
    add_metadata(into, entries, redactor)
    json.dumps(into, allow_nan=False).encode()
    return into


class Number:
    """What a number of numpy looks like."""

    ndim = 0

    def item(self) -> float:
        return 2.5


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (3, 3),
        ("text", "text"),
        (True, True),
        (None, None),
        (0.5, 0.5),
        (float("inf"), "inf"),
        (1 << 2000, "int of 2001 bits"),
        (Number(), 2.5),
        (datetime.date(2020, 5, 5), "2020-05-05"),
        (datetime.timedelta(minutes=1), 60.0),
        (decimal.Decimal("1.10"), "1.10"),
        (uuid.UUID(int=5), str(uuid.UUID(int=5))),
        (Path("a/b"), "a/b"),
        ([1, (2,)], {"type": "json", "value": [1, [2]]}),
        ({1: {"a": 2}}, {"type": "json", "value": {"1": {"a": 2}}}),
        (MarkdownValue("**a**"), {"type": "markdown", "value": "**a**"}),
        (UrlValue("https://x"), {"type": "url", "value": "https://x"}),
        (PathValue("/a"), {"type": "path", "value": "/a"}),
        (SizeValue(1024), {"type": "size", "value": 1024}),
        (JsonValue(5), {"type": "json", "value": 5}),
        ({"type": "url", "value": "x"}, {"type": "json", "value": {"type": "url", "value": "x"}}),
    ],
)
def test_values_are_stored_as_json_with_their_kind(value: Any, stored: Any) -> None:
    assert kept({"a": value}) == {"a": stored}


@pytest.mark.parametrize("value", [object(), b"bytes", lambda: None, {"a": object()}, [{1j: 1}]])
def test_what_json_cannot_carry_is_told_by_name(value: Any) -> None:
    with pytest.raises(MetadataWrong, match='Metadata "rows"'):
        kept({"rows": value})


def test_metadata_is_a_dict_of_text() -> None:
    with pytest.raises(MetadataWrong, match="is a text"):
        kept({5: 1})
    with pytest.raises(MetadataWrong, match="dict of name to value"):
        kept([1])


def test_entries_may_be_given_by_name_or_as_a_dict() -> None:
    assert Metadata({"a b": 1}, rows=2).entries == {"a b": 1, "rows": 2}


def test_hugeness_is_cut_and_what_is_left_out_is_counted() -> None:
    assert len(kept({"a": "x" * 10**6})["a"]) < 17_000
    assert len(kept({"a": [1] * 10**6})["a"]["value"]) == 1000
    many = kept({f"k{i}": i for i in range(500)})
    assert len(many) == MAX_ENTRIES + 1
    assert many["left_out"] == 400
    large = kept({f"k{i}": "x" * 10_000 for i in range(20)})
    assert large["left_out"] > 10
    row = list(range(1000))
    wide = {str(i): {str(j): row for j in range(100)} for i in range(100)}
    assert len(json.dumps(kept({"a": wide}))) < 500_000


def test_nested_without_end_is_cut() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert "…" in json.dumps(kept({"a": endless}), ensure_ascii=False)


def test_secrets_are_taken_out() -> None:
    told = kept({"url": UrlValue("http://a:b@c"), "x": ["hush-hush"]}, Redactor(["hush-hush"]))
    assert told["url"]["value"] == "http://a:[redacted]@c"
    assert told["x"]["value"] == ["[redacted]"]


@settings(max_examples=80, deadline=None)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
        max_leaves=20,
    )
)
def test_anything_plain_is_kept_as_json(value: Any) -> None:
    kept({"a": value})
