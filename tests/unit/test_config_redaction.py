"""Secrets are kept out of what is recorded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill import Field, Map, Permissive, Secret, pipeline, step
from backfill.definitions.pipeline import validate_run_config
from backfill.definitions.redaction import REDACTED, Redactor, is_secret_key, redact
from backfill.definitions.text import bounded, shown, storable
from backfill.errors import ConfigInvalid


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "DB_PASSWORD",
        "passwd",
        "client_secret",
        "secrets",
        "token",
        "accessToken",
        "api_key",
        "apiKey",
        "api-key",
        "AWS_ACCESS_KEY_ID",
        "private_key",
        "credentials",
        "Authorization",
    ],
)
def test_values_under_such_keys_are_secrets(key: str) -> None:
    assert is_secret_key(key)
    assert redact({"a": [{key: "hush"}]}) == {"a": [{key: REDACTED}]}


@pytest.mark.parametrize("key", ["date", "tokenizer", "max_tokens", "token_count", "key", "path"])
def test_values_under_other_keys_are_not(key: str) -> None:
    assert redact({key: "x"}) == {key: "x"}


def test_whole_containers_under_a_secret_key_are_left_out() -> None:
    assert redact({"credentials": {"user": "u", "pass": ["p"]}}) == {"credentials": REDACTED}
    assert redact({"password": None}) == {"password": None}


def test_passwords_inside_urls_are_left_out() -> None:
    told = redact({"url": "see postgresql://me:hush@db/x and http://a:b@c"})
    assert told == {"url": f"see postgresql://me:{REDACTED}@db/x and http://a:{REDACTED}@c"}
    assert redact("http://host:80/a@b") == "http://host:80/a@b"


def test_redacting_leaves_the_config_as_it_was() -> None:
    config = {"password": "hush", "rows": [1]}
    redact(config)["rows"].append(2)
    assert config == {"password": "hush", "rows": [1]}


@step(
    config_schema={
        "password": str,
        "pin": Secret(int),
        "by_host": Map(str, Secret()),
        "extra": Permissive(),
        "api_key": Field(str, is_required=False),
        "tokens": Map(str, str),
    }
)
def load(context: object) -> None: ...


@pipeline
def daily() -> None:
    load()


CONFIG: dict[str, Any] = {
    "password": "hush-1",
    "pin": 123456,
    "by_host": {"a": "hush-2"},
    "extra": {"deep": [{"client_secret": "hush-3"}], "open": 1},
    "tokens": {"auth_token": "hush-4", "plain": "seen"},
}


def test_the_step_is_given_its_secrets_and_nothing_else_keeps_them() -> None:
    valid = validate_run_config(daily, {"steps": {"load": {"config": CONFIG}}})
    assert valid.steps["load"] == CONFIG
    recorded = valid.recorded["steps"]["load"]["config"]
    assert "hush" not in str(recorded)
    assert "123456" not in str(recorded)
    assert recorded["extra"]["open"] == 1
    assert recorded["tokens"]["plain"] == "seen"
    assert set(valid.secrets) >= {"hush-1", "hush-2", "hush-3", "hush-4", "123456"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": ["hush-9"]},
        {"pin": "hush-9"},
        {"by_host": {"a": ["hush-9"]}},
        {"extra": {"token": {"hush-9"}}},
        {"extra": {"a": [{"secret": "hush-9"}, object()]}},
        {"unknown": {"password": "hush-9"}},
        {"api_key": 99999},
    ],
)
def test_errors_do_not_tell_secrets(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigInvalid) as error:
        validate_run_config(daily, {"steps": {"load": {"config": {**CONFIG, **wrong}}}})
    told = error.value.detail + str(error.value.facts)
    assert "hush-9" not in told
    assert "99999" not in told


def test_known_secrets_are_taken_out_of_text_the_longest_first() -> None:
    redactor = Redactor(["hush", "hush-hush", "abc"])
    assert redactor.text("a hush-hush, a hush, abc") == f"a {REDACTED}, a {REDACTED}, abc"
    assert Redactor(()).text("hush") == "hush"


@settings(max_examples=100, deadline=None)
@given(text=st.text())
def test_text_made_storable_can_be_stored(text: str) -> None:
    told = storable(text)
    assert "\0" not in told
    told.encode()
    if "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text):
        assert told == text


@settings(max_examples=100, deadline=None)
@given(text=st.text(), limit=st.integers(min_value=2, max_value=50))
def test_bounded_text_keeps_head_and_tail_and_says_what_is_gone(text: str, limit: int) -> None:
    told = bounded(text, limit)
    if len(text) <= limit:
        assert told == text
    else:
        assert told.startswith(text[: limit // 2])
        assert told.endswith(text[-(limit - limit // 2) :])
        assert str(len(text) - limit) in told


def test_whatever_its_repr_does_a_value_can_be_shown() -> None:
    class Bad:
        def __repr__(self) -> str:
            raise ValueError

    assert shown(Bad()) == "<Bad whose repr raised ValueError>"
    assert len(shown("x" * 1000)) < 250
    assert "raised ValueError" in shown(10**5000)
