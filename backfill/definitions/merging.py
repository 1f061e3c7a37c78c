"""Putting an override over a run config.

An override says itself how it is put over: a plain one is merged, `exactly(config)` replaces. So
both kinds go through every place that keeps, copies or applies overrides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backfill.definitions.redaction import REDACTED, public_text
from backfill.definitions.run_config import STEP_SECTIONS

_STEPS, _SOLIDS = STEP_SECTIONS
_EXACTLY = "$exactly"


def exactly(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an override that makes this the whole run config, whatever the partition's own is.

    Where it holds the mark of a secret that was taken out, the partition's own value stays: so a
    config that was read back without its secrets can be given again.
    """
    return {_EXACTLY: dict(config)}


def shown_override(override: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return an override as people gave it."""
    replacement = _replacement(override)
    return override if replacement is None else replacement


def merged(config: Mapping[str, Any], override: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return a run config with an override over it, at every depth; neither is changed.

    Dicts are merged key by key, anything else is replaced. `solids` and `steps` are the same
    section, whichever of the two uses which name. What `exactly` made replaces the config.
    """
    if not override:
        return config
    replacement = _replacement(override)
    if replacement is not None:
        base, above = _named_steps(config), _named_steps(replacement)
        return {key: _with_secrets(base.get(key), value) for key, value in above.items()}
    if not config:
        return override
    return _over(_named_steps(config), _named_steps(override))


def _over(base: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in above.items():
        below = result.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[key] = _over(below, value) if both else value  # type: ignore[arg-type]
    return result


def _named_steps(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the config with its `solids` named `steps`; with both given, as it is."""
    if _SOLIDS not in config or config.get(_STEPS):
        return config
    return {_STEPS if key == _SOLIDS else key: v for key, v in config.items() if key != _STEPS}


def _replacement(override: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if override is None or override.keys() != {_EXACTLY}:
        return None
    replacement = override[_EXACTLY]
    return replacement if isinstance(replacement, Mapping) else None


def _with_secrets(own: Any, given: Any) -> Any:
    """Return what is given, with the own values where secrets were taken out of it."""
    if isinstance(given, str) and REDACTED in given:
        stands = own is not None and (given == REDACTED or public_text(str(own)) == given)
        return own if stands else given
    if isinstance(given, Mapping):
        below = own if isinstance(own, Mapping) else {}
        return {key: _with_secrets(below.get(key), value) for key, value in given.items()}
    if isinstance(given, list) and isinstance(own, list | tuple) and len(own) == len(given):
        return [_with_secrets(*pair) for pair in zip(own, given, strict=True)]
    return given
