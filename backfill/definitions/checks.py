"""Checks of what users write in definitions; each error names the rule and the place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from backfill.definitions.config_compile import compile_entry
from backfill.definitions.config_containers import Entry
from backfill.definitions.config_schema import NOT_GIVEN
from backfill.definitions.place import Place
from backfill.definitions.policies import RetryPolicy
from backfill.definitions.text import shown
from backfill.errors import DefinitionError

NAME = re.compile(r"[A-Za-z0-9_]{1,200}")


def check_name(kind: str, name: object, place: Place) -> str:
    """Return a name that is one, else raise DefinitionError saying the rule."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise DefinitionError(
            f"The name of a {kind} is made of letters, digits and underscores, not "
            f"{shown(name)} ({place})."
        )
    return name


def check_tags(what: str, tags: object, place: Place) -> dict[str, str]:
    """Return tags that map text to text, else raise DefinitionError."""
    if isinstance(tags, Mapping) and all(
        isinstance(key, str) and isinstance(value, str) for key, value in tags.items()
    ):
        return dict(tags)
    raise DefinitionError(f"The tags of {what} ({place}) map str to str, not {shown(tags)}.")


def check_seconds(seconds: object, where: str) -> float | None:
    """Return a timeout in seconds above 0, or None, else raise DefinitionError."""
    if seconds is None:
        return None
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds < 1e9:
        return float(seconds)
    raise DefinitionError(f"{where}: timeout_seconds must be above 0, not {shown(seconds)}.")


def compile_config(schema: Any, where: str) -> Entry | None:
    """Compile a `config_schema`; None where none is given, which takes any config."""
    if schema is NOT_GIVEN or schema is None:
        return None
    return compile_entry("config", schema, f"{where}: config_schema")


def check_policy(policy: object, where: str) -> RetryPolicy | None:
    """Return a retry policy or None, else raise DefinitionError."""
    if policy is None or isinstance(policy, RetryPolicy):
        return policy
    raise DefinitionError(f"{where}: retry_policy must be a RetryPolicy, not {shown(policy)}.")
