"""What is wrong with a run config: found, and told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backfill.definitions.redaction import REDACTED, is_secret_key, redact
from backfill.definitions.text import bounded, shown, storable
from backfill.errors import ConfigInvalid

MAX_PROBLEMS = 50  # more of them help nobody


@dataclass
class Problem:
    """One thing that is wrong with a run config.

    Attributes:
        kind: `missing`, `wrong_type`, `unexpected` or `invalid`.
        path: Keys and list indexes from the top of the config.
        sample: What could stand there, for a missing entry.
        secret: The value must not be shown.
        sentence: Said in place of the usual sentence.
    """

    kind: str
    value: object
    expected: str
    path: list[str | int] = field(default_factory=list)
    sample: Any = None
    secret: bool = False
    sentence: str = ""


def put_in_front(key: str | int, problems: list[Problem], since: int) -> None:
    """Put a key in front of the paths of the problems found since the list was `since` long."""
    for problem in problems[since:]:
        problem.path.insert(0, key)


def invalid(pipeline: str, problems: Sequence[Problem]) -> ConfigInvalid:
    """Build the error that tells every problem of a run config."""
    errors = [_told(problem) for problem in problems[:MAX_PROBLEMS]]
    sentences = [error["message"] for error in errors[:5]]
    if len(errors) > len(sentences):
        sentences.append(f"and {len(errors) - len(sentences)} more")
    return ConfigInvalid(
        f'The run config of pipeline "{pipeline}" does not fit: {"; ".join(sentences)}.',
        pipeline=pipeline,
        errors=errors,
    )


def _told(problem: Problem) -> dict[str, Any]:
    """Return one problem as the fields of an error, bounded and without secrets."""
    secret = problem.secret or any(
        isinstance(key, str) and is_secret_key(key) for key in problem.path
    )
    value = REDACTED if secret else _short(problem.value)
    path = path_text(problem.path)
    at = path or "the config"
    match problem.kind:
        case "missing":
            told = f"{at} is missing (expected {problem.expected}, such as {problem.sample})"
        case "wrong_type":
            kind = type(problem.value).__name__
            told = f"{at} is {value!r} ({kind}), expected {problem.expected}"
        case "unexpected":
            told = f"{at} is not expected here: expected {problem.expected}"
        case _:
            told = f"{at} does not fit: {problem.expected}"
    if problem.sentence:
        told = f"{at}: {problem.sentence}"
    return {
        "kind": problem.kind,
        "path": path,
        "value": value,
        "expected": storable(problem.expected),
        "sample": problem.sample,
        "message": bounded(storable(told), 1000),
    }


def path_text(path: Sequence[str | int]) -> str:
    """Return `steps.load.config.rows[3]`; keys that are no words are quoted in brackets."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif key.replace("-", "_").isidentifier():
            text += f".{key}" if text else key
        else:
            text += f"[{shown(key)}]"
    return storable(text)


def _short(value: object) -> Any:
    """Return a value as it may be shown: itself where it is small, else a bounded text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, int) and value.bit_length() <= 64:
        return int(value)
    if isinstance(value, str):
        return bounded(str(redact(value)), 200)
    return shown(redact(value) if isinstance(value, Mapping | list | tuple) else value)
