"""The run config of a pipeline: validated as a whole, recorded without secrets, described.

Its form is `{"steps": {name: {"config": …}}, "resources": {name: {"config": …}}}`; `solids` means
the same as `steps`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from backfill.definitions.config_containers import Entry
from backfill.definitions.config_problems import MAX_PROBLEMS, Problem, invalid, put_in_front
from backfill.definitions.config_schema import NOT_GIVEN
from backfill.definitions.config_types import AnyType
from backfill.definitions.text import bounded, shown
from backfill.errors import did_you_mean

STEP_SECTIONS = ("steps", "solids")
_SECTIONS = (*STEP_SECTIONS, "resources")
_ANY = Entry("config", AnyType(), required=False)
_NO_SECTION: Mapping[str, Any] = {}


class ValidConfig(NamedTuple):
    """A run config that fits.

    Attributes:
        steps: Step name -> the config its body is given.
        resources: Resource name -> the config its function is given.
        recorded: The whole, JSON-able, with defaults and without secrets.
        secrets: Texts that must not appear in logs and errors.
    """

    steps: Mapping[str, Any]
    resources: Mapping[str, Any]
    recorded: dict[str, Any]
    secrets: tuple[str, ...]


class RunConfigSchema:
    """The compiled schema of a pipeline's run config; build it once, validate often.

    Args:
        steps: Step name -> its compiled schema, None for a step that takes any config.
        resources: The same for resources.
        selected: Steps whose config must be there; that of others is checked if given.
    """

    def __init__(
        self,
        pipeline: str,
        steps: Mapping[str, Entry | None],
        resources: Mapping[str, Entry | None],
        selected: Collection[str],
    ) -> None:
        self._pipeline = pipeline
        self._steps = _Section("step", steps, selected)
        self._resources = _Section("resource", resources, resources)
        self._nothing_needed = not (self._steps.rows or self._resources.rows)

    def validate(self, run_config: Any) -> ValidConfig:
        """Return a run config checked and with its defaults.

        Raises:
            ConfigInvalid: It does not fit; `facts["errors"]` has every error (up to 50).
        """
        if self._nothing_needed and (run_config is None or run_config == {}):
            return ValidConfig(_NO_SECTION, _NO_SECTION, {}, ())
        problems: list[Problem] = []
        used = "steps"
        given_steps: Mapping[str, Any] = _NO_SECTION
        given_resources: Mapping[str, Any] = _NO_SECTION
        if isinstance(run_config, Mapping):
            used = _used_section(run_config)
            given_steps = _section(run_config, used, problems)
            given_resources = _section(run_config, "resources", problems)
            _refuse_unknown_sections(run_config, used, problems)
        elif run_config is not None:
            problems.append(Problem("wrong_type", run_config, "a dict"))
        recorded: dict[str, Any] = {}
        found: list[str] = []
        steps = self._steps.validate(used, given_steps, problems, recorded, found)
        resources = self._resources.validate(
            "resources", given_resources, problems, recorded, found
        )
        if problems:
            raise invalid(self._pipeline, problems)
        return ValidConfig(steps, resources, recorded, tuple(found))

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema (2020-12) of the run config."""
        steps = self._steps.json_schema()
        schema: dict[str, Any] = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": f"Run config of pipeline {self._pipeline}",
            "type": "object",
            "properties": {
                "steps": {"$ref": "#/$defs/steps"},
                "solids": {"$ref": "#/$defs/steps", "description": "The same as steps."},
                "resources": self._resources.json_schema(),
            },
            "additionalProperties": False,
            "$defs": {"steps": steps},
        }
        if "required" in steps:
            schema["oneOf"] = [{"required": [section]} for section in STEP_SECTIONS]
        if "required" in schema["properties"]["resources"]:
            schema["required"] = ["resources"]
        _hoist(schema["properties"], schema["$defs"])
        _hoist(steps, schema["$defs"])
        return schema

    def sample(self) -> dict[str, Any]:
        """Return a run config with only what must be given, sample values in place."""
        sections = {"steps": self._steps.sample(), "resources": self._resources.sample()}
        return {name: section for name, section in sections.items() if section}


class _Section:
    """The configs of the steps, or of the resources."""

    def __init__(
        self, noun: str, entries: Mapping[str, Entry | None], selected: Collection[str]
    ) -> None:
        self._noun = noun
        self._entries = entries
        self.rows = tuple(
            (name, entry, entry.required and name in selected)
            for name, entry in entries.items()
            if entry is not None
        )

    def validate(
        self,
        section: str,
        given: Mapping[str, Any],
        problems: list[Problem],
        recorded: dict[str, Any],
        found: list[str],
    ) -> Mapping[str, Any]:
        """Return the checked configs by name; put what is to be recorded under `section`'s noun."""
        if not given and not self.rows:
            return _NO_SECTION
        checked: dict[str, Any] = {}
        shown_configs: dict[str, Any] = {}
        taken = 0
        for name, entry, required in self.rows:
            config = NOT_GIVEN
            if name in given:
                taken += 1
                config = _config_of(section, name, given[name], problems)
            if config is NOT_GIVEN:
                if required:
                    problem = entry.missing()
                    problem.path[:0] = (section, name)
                    problems.append(problem)
                    continue
                if entry.default is NOT_GIVEN:
                    continue
                config = entry.default
            before = len(problems)
            value = entry.type.check(config, problems)
            if len(problems) != before:
                put_in_front("config", problems, before)
                put_in_front(name, problems, before)
                put_in_front(section, problems, before)
                continue
            checked[name] = value
            shown_configs[name] = {"config": entry.type.recorded(value, found)}
        if taken != len(given):
            self._unschemed(section, given, problems, checked, shown_configs, found)
        if shown_configs:
            recorded["resources" if section == "resources" else "steps"] = shown_configs
        return checked

    def _unschemed(
        self,
        section: str,
        given: Mapping[str, Any],
        problems: list[Problem],
        checked: dict[str, Any],
        shown_configs: dict[str, Any],
        found: list[str],
    ) -> None:
        """Take the configs of names without a schema; refuse unknown names."""
        for name, item in given.items():
            if len(problems) >= MAX_PROBLEMS:
                return
            if not isinstance(name, str) or name not in self._entries:
                problems.append(self._unknown(section, name, item))
            elif self._entries[name] is None:
                config = _config_of(section, name, item, problems)
                if config is NOT_GIVEN:
                    continue
                before = len(problems)
                checked[name] = _ANY.type.check(config, problems)
                if len(problems) == before:
                    shown_configs[name] = {"config": _ANY.type.recorded(checked[name], found)}
                for key in ("config", name, section):
                    put_in_front(key, problems, before)

    def _unknown(self, section: str, name: object, item: object) -> Problem:
        names = ", ".join(f'"{known}"' for known in self._entries) or "nothing"
        hint = did_you_mean(name, self._entries) if isinstance(name, str) else ""
        key = name if isinstance(name, str) else shown(name)
        sentence = f'there is no {self._noun} named "{bounded(key, 100)}".{hint}'
        return Problem(
            "unexpected", item, f"one of {names}", [section, key], sentence=sentence.rstrip(".")
        )

    def json_schema(self) -> dict[str, Any]:
        required = [name for name, _, needed in self.rows if needed]
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {
                name: _config_schema(entry, name in required)
                for name, entry in self._entries.items()
            },
            "additionalProperties": False,
        }
        return {**schema, "required": required} if required else schema

    def sample(self) -> dict[str, Any]:
        return {
            name: {"config": entry.type.sample()} for name, entry, needed in self.rows if needed
        }


def _used_section(run_config: Mapping[Any, Any]) -> str:
    return "steps" if run_config.get("steps") or not run_config.get("solids") else "solids"


def _section(
    run_config: Mapping[Any, Any], section: str, problems: list[Problem]
) -> Mapping[str, Any]:
    """Return a section; an absent or empty one is an empty dict."""
    value = run_config.get(section)
    if value is None:
        return _NO_SECTION
    if not isinstance(value, Mapping):
        noun = "resource" if section == "resources" else "step"
        expected = f"a dict of {noun} name to its config"
        problems.append(Problem("wrong_type", value, expected, [section]))
        return _NO_SECTION
    return value


def _refuse_unknown_sections(
    run_config: Mapping[Any, Any], used: str, problems: list[Problem]
) -> None:
    for key, value in run_config.items():
        if key not in _SECTIONS:
            name = key if isinstance(key, str) else shown(key)
            expected = 'one of "steps" (or "solids") and "resources"'
            problems.append(Problem("unexpected", value, expected, [name]))
            if len(problems) >= MAX_PROBLEMS:
                return
    other = "solids" if used == "steps" else "steps"
    if run_config.get(other):
        expected = f'the steps in one place: "{used}" is given too, and means the same'
        problems.append(Problem("unexpected", run_config[other], expected, [other]))


def _config_of(section: str, name: str, item: Any, problems: list[Problem]) -> Any:
    """Return the config inside `{"config": …}`, NOT_GIVEN when there is none."""
    if item is None:
        return NOT_GIVEN
    if not isinstance(item, Mapping):
        problems.append(Problem("wrong_type", item, 'a dict with "config"', [section, name]))
        return NOT_GIVEN
    config = item.get("config", NOT_GIVEN)
    if len(item) != (config is not NOT_GIVEN):
        for key, value in item.items():
            if key != "config" and len(problems) < MAX_PROBLEMS:
                path = [section, name, key if isinstance(key, str) else shown(key)]
                problems.append(Problem("unexpected", value, '"config"', list(path)))
    return config


def _config_schema(entry: Entry | None, required: bool) -> dict[str, Any]:
    config = entry.json_schema() if entry is not None else {}
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"config": config},
        "additionalProperties": False,
    }
    return {**schema, "required": ["config"]} if required else schema


def _hoist(schema: Any, definitions: dict[str, Any]) -> None:
    """Move the `$defs` of nested schemas to the top, where their references point."""
    if isinstance(schema, dict):
        nested = schema.pop("$defs", None)
        if isinstance(nested, dict):
            definitions.update(nested)
            _hoist(nested, definitions)
        for value in schema.values():
            _hoist(value, definitions)
    elif isinstance(schema, list):
        for item in schema:
            _hoist(item, definitions)
