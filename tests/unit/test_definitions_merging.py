"""An override over a run config."""

from __future__ import annotations

from backfill.definitions.merging import merged


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
