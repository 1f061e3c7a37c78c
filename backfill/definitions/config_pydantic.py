"""A pydantic model class as a config schema; pydantic is not imported for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backfill.definitions.config_problems import Problem
from backfill.definitions.config_schema import NOT_GIVEN
from backfill.definitions.config_types import ConfigType, json_copy
from backfill.definitions.redaction import is_secret_key, redact_into, secret_texts


def is_model(schema: object) -> bool:
    """Tell whether a schema is a pydantic model class."""
    return isinstance(schema, type) and hasattr(schema, "model_json_schema")


class ModelType(ConfigType):
    """A pydantic model: the step is given an instance of it."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.expected = f"the fields of {model.__name__}"

    def check(self, value: Any, problems: list[Problem]) -> Any:
        if isinstance(value, self.model):
            return value
        if not isinstance(value, Mapping):
            return self.wrong(value, problems)
        before = len(problems)
        plain = json_copy(value, problems)
        if len(problems) != before:
            return None
        from pydantic import ValidationError

        try:
            return self.model.model_validate(plain)
        except ValidationError as error:
            problems.extend(_problem(detail) for detail in error.errors(include_url=False))
            return None

    def recorded(self, value: Any, found: list[str], /) -> Any:
        found.extend(_secrets_of(value))
        return redact_into(value.model_dump(mode="json"), found)

    def sample(self) -> Any:
        schema = self.model.model_json_schema()
        properties = schema.get("properties", {})
        return {name: _sample(properties.get(name, {})) for name in schema.get("required", [])}

    def json_schema(self) -> dict[str, Any]:
        prefix = f"{self.model.__module__}.{self.model.__qualname__}."
        schema: dict[str, Any] = self.model.model_json_schema(
            ref_template=f"#/$defs/{prefix}{{model}}"
        )
        definitions = schema.pop("$defs", None)
        if definitions:
            schema["$defs"] = {f"{prefix}{name}": inner for name, inner in definitions.items()}
        return schema

    def absent(self) -> Any:
        required = self.model.model_json_schema().get("required")
        return NOT_GIVEN if required else {}


def _problem(detail: Mapping[str, Any]) -> Problem:
    """Translate one of pydantic's error dicts."""
    kinds = {"missing": "missing", "extra_forbidden": "unexpected"}
    kind = kinds.get(detail["type"], "invalid")
    path = list(detail["loc"])
    return Problem(
        kind,
        None if kind == "missing" else detail["input"],
        str(detail["msg"]),
        path,
        sample={path[-1]: "..."} if kind == "missing" and path else None,
        secret=any(isinstance(key, str) and is_secret_key(key) for key in path),
    )


def _secrets_of(value: Any) -> list[str]:
    """Return the texts of the pydantic secrets inside a model."""
    if hasattr(value, "get_secret_value"):
        return list(secret_texts(value.get_secret_value()))
    if hasattr(type(value), "model_fields"):
        value = vars(value)
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [text for item in value for text in _secrets_of(item)]
    return []


def _sample(schema: Mapping[str, Any]) -> Any:
    samples = {"integer": 0, "number": 0.0, "boolean": False, "array": [], "object": {}}
    return samples.get(str(schema.get("type")), "...")
