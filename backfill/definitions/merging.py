"""Putting an override over a run config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backfill.definitions.run_config import STEP_SECTIONS

_STEPS, _SOLIDS = STEP_SECTIONS


def merged(config: Mapping[str, Any], override: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return a run config with an override over it, at every depth; neither is changed.

    Dicts are merged key by key, anything else is replaced. `solids` and `steps` are the same
    section, whichever of the two uses which name.
    """
    if not override:
        return config
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
