"""The tags a run carries, and which of them are the product's own."""

from __future__ import annotations

import math
from collections.abc import Mapping

from backfill.definitions.text import shown

RESERVED_PREFIX = "backfill/"
PRIORITY_TAG = "backfill/priority"
SCHEDULE_TAG = "backfill/schedule"
WEIGHT_TAG = "backfill/weight"
PARTITION_TAG = "backfill/partition"
PARTITION_SET_TAG = "backfill/partition_set"


def tags_problem(tags: object) -> str | None:
    """Say what is wrong with tags that users' code returned, or None when they are right.

    Right are a mapping of str to str without reserved names; the priority and the weight are the
    reserved tags that users may set.
    """
    if not isinstance(tags, Mapping):
        return f"returned {shown(tags)} ({type(tags).__name__}); expected a dict of str to str"
    for name, value in tags.items():
        if not isinstance(name, str) or not isinstance(value, str):
            return f"returned the tag {shown(name)}: {shown(value)}; expected str to str"
        if name.startswith(RESERVED_PREFIX) and name not in (PRIORITY_TAG, WEIGHT_TAG):
            return (
                f'returned the tag "{name}", which is reserved: of "{RESERVED_PREFIX}…" only '
                f'"{PRIORITY_TAG}" and "{WEIGHT_TAG}" may be set'
            )
    return None


def weight_of(tags: Mapping[str, str]) -> float:
    """Return the weight that a tag gives; 0 where it gives none, or no finite number."""
    try:
        weight = float(tags.get(WEIGHT_TAG, "0"))
    except ValueError:
        return 0.0
    return weight if math.isfinite(weight) else 0.0
