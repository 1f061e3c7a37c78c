"""An override over a run config."""

from __future__ import annotations

from backfill.definitions.merging import exactly, merged, shown_override
from backfill.definitions.redaction import redact


def test_an_override_wins_at_every_depth_and_leaves_the_rest() -> None:
    config = {"steps": {"load": {"config": {"date": "2020-05-05", "rows": [1, 2]}}}, "a": 1}
    override = {"steps": {"load": {"config": {"rows": [3]}}, "tell": {"config": 5}}}
    assert merged(config, override) == {
        "steps": {
            "load": {"config": {"date": "2020-05-05", "rows": [3]}},
            "tell": {"config": 5},
        },
        "a": 1,
    }
    assert config["steps"] == {"load": {"config": {"date": "2020-05-05", "rows": [1, 2]}}}


def test_solids_and_steps_are_the_same_section() -> None:
    seed = {"solids": {"load": {"config": {"date": "2020-05-05", "n": 1}}}}
    expected = {"steps": {"load": {"config": {"date": "2020-05-05", "n": 2}}}}
    assert merged(seed, {"steps": {"load": {"config": {"n": 2}}}}) == expected
    assert merged({"steps": seed["solids"]}, {"solids": {"load": {"config": {"n": 2}}}}) == expected


def test_without_an_override_the_config_is_as_it_was() -> None:
    config = {"solids": {"load": None}}
    assert merged(config, None) is config
    assert merged(config, {}) is config
    assert merged({}, config) == config


def test_a_dict_replaces_what_is_none_and_the_other_way_round() -> None:
    assert merged({"a": None}, {"a": {"b": 1}}) == {"a": {"b": 1}}
    assert merged({"a": {"b": 1}}, {"a": None}) == {"a": None}


def test_an_exact_config_replaces_the_partition_s() -> None:
    config = {"steps": {"load": {"config": {"date": "2020-05-05", "rows": 3}}}}
    given = {"solids": {"load": {"config": {"date": "2020-05-06"}}}}
    wanted = {"steps": {"load": {"config": {"date": "2020-05-06"}}}}
    assert merged(config, exactly(given)) == wanted
    assert merged({}, exactly(given)) == wanted
    assert merged(config, exactly({})) == {}


def test_secrets_that_were_taken_out_of_an_exact_config_stay_the_partition_s() -> None:
    config = {
        "steps": {"load": {"config": {"password": "hunter2", "url": "pg://me:hunter2@db/x"}}},
        "many": [{"token": "abcdef"}, {"token": "ghijkl"}],
    }
    assert merged(config, exactly(redact(config))) == config


def test_a_secret_given_anew_is_taken() -> None:
    config = {"password": "hunter2", "url": "pg://me:hunter2@db/x"}
    given = {"password": "other", "url": "pg://me:[redacted]@elsewhere/x"}
    assert merged(config, exactly(given)) == given


def test_an_override_is_shown_as_it_was_given() -> None:
    assert shown_override(exactly({"a": 1})) == {"a": 1}
    assert shown_override({"a": 1}) == {"a": 1}
    assert shown_override(None) is None
