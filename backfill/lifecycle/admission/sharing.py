"""Sharing: room in a queue split over lanes, by priority and then evenly; pure."""

from __future__ import annotations

from collections.abc import Sequence

from backfill.lifecycle.admission.lanes import Lane, LaneKey

QUEUED_US = 200_000
MESSAGE_US = 3_000  # what a message costs on top of its runs
MOST_QUEUED = 64


def share(capacity: int, lanes: Sequence[Lane]) -> dict[LaneKey, int]:
    """Split room for `capacity` messages over lanes: higher priority first, equals level out.

    Among equals the lane with the fewest active messages is served first, up to the level of the
    others, so a huge backfill does not starve a small one.
    """
    grants: dict[LaneKey, int] = {}
    for priority in sorted({lane.priority for lane in lanes}, reverse=True):
        given = _level(capacity, [x for x in lanes if x.priority == priority])
        grants.update(given)
        capacity -= sum(given.values())
    return {lane: n for lane, n in grants.items() if n}


def _level(capacity: int, lanes: Sequence[Lane]) -> dict[LaneKey, int]:
    """Raise the levels of lanes towards one common level (water filling)."""
    levels = {lane.key: lane.level for lane in lanes}
    rising = [lane for lane in lanes if lane.room]
    while capacity > 0 and rising:
        lowest = min(levels[lane.key] for lane in rising)
        bottom = [lane for lane in rising if levels[lane.key] == lowest]
        above = [levels[lane.key] for lane in rising if levels[lane.key] > lowest]
        steps = [max(1, capacity // len(bottom)), *(lane.ceiling - lowest for lane in bottom)]
        step = min(steps + [min(above) - lowest] if above else steps)
        for lane in bottom[:capacity]:
            levels[lane.key] += step
            capacity -= step
        rising = [lane for lane in rising if levels[lane.key] < lane.ceiling]
    return {lane.key: levels[lane.key] - lane.level for lane in lanes}


def depth_per_slot(lanes: Sequence[Lane], at_least: int) -> int:
    """Return how many messages to keep queued per slot: enough for QUEUED_US of work.

    A queue of slow runs stays shallow; one of tiny runs is deep enough not to run dry between
    two turns. The slowest lane decides.
    """
    known = [MESSAGE_US + lane.run_us * lane.pack for lane in lanes if lane.run_us is not None]
    return max(at_least, min(MOST_QUEUED, QUEUED_US // max(known))) if known else at_least
