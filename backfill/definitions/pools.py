"""Pools: named limits across everything, and how many slots of each a run takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from backfill.definitions.text import shown
from backfill.errors import DefinitionError

MOST_SLOTS = 1_000_000

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")


def is_pool_name(name: str) -> bool:
    """Say whether something can be called so."""
    return _NAME.fullmatch(name) is not None


def checked_pools(pool: Any, where: str) -> dict[str, int]:
    """Return slots by pool: of `"warehouse"` one, of `{"warehouse": 2}` two, of None nothing.

    Raises:
        DefinitionError: It is neither; says where.
    """
    given = {} if pool is None else {pool: 1} if isinstance(pool, str) else pool
    if not isinstance(given, Mapping):
        raise DefinitionError(
            f"{where}: pool must be a name or a dict of names to slots, not {shown(pool)}."
        )
    for name, slots in given.items():
        if not isinstance(name, str) or not is_pool_name(name):
            raise DefinitionError(
                f"{where}: {shown(name)} cannot name a pool: use letters, digits, dots, dashes "
                "and underscores."
            )
        if type(slots) is not int or not 1 <= slots <= MOST_SLOTS:
            raise DefinitionError(
                f'{where}: the slots of pool "{name}" must be an int of 1 or more, '
                f"not {shown(slots)}."
            )
    return dict(given)


def slots_needed(
    own: Mapping[str, int], steps: Iterable[Mapping[str, int]], *, at_once: int
) -> dict[str, int]:
    """Return the slots a run takes: its pipeline's, or what its steps need at the same time.

    Args:
        own: Of the pipeline.
        steps: Of each step that the run executes.
        at_once: How many of them may execute together.
    """
    wanted: dict[str, list[int]] = {}
    for pools in steps:
        for name, slots in pools.items():
            wanted.setdefault(name, []).append(slots)
    together = {name: sum(sorted(n, reverse=True)[:at_once]) for name, n in wanted.items()}
    names = sorted({*own, *together})
    return {name: max(own.get(name, 0), together.get(name, 0)) for name in names}
