"""What operators do to a world beside pause, resume and cancel: every verb of Control."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from backfill.errors import BackfillError
from backfill.lifecycle import blocks, marking, pooling, retrying
from backfill.lifecycle.editing import edit
from backfill.lifecycle.passing import skip_partition
from backfill.lifecycle.repartitioning import add_partitions, remove_partitions
from backfill.lifecycle.retrying import Retried, RetryRequest
from backfill.states import BoxStatus
from tests.state_machine.world import Fault, World
from tests.support.house import NOON

Draw = Callable[[st.SearchStrategy[Any]], Any]

POOL = "warehouse"
TEAMS = ("a", "b")
SETS = ("shops", "shops", "pooled")

CONTROL = """
@pipeline(pool="warehouse")
def narrow():
    a()

pooled = PartitionSetDefinition(
    name="pooled",
    pipeline_name="narrow",
    partitions_def=DynamicPartitionsDefinition(name="shops"),
)
"""

EDITS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"max_active_runs": 1},
        {"max_active_runs": None},
        {"priority": 3},
        {"max_failures": 0},
        {"max_failures": 2},
        {"breaker": {"in_all": 1}},
        {"breaker": None},
    ]
)


def wanted(draw: Draw) -> dict[str, Any]:
    """Return what somebody asks for when they submit."""
    asked: dict[str, Any] = {
        "ordering": draw(st.sampled_from(["oldest", "newest"])),
        "max_active_runs": draw(st.sampled_from([None, None, 1, 2])),
        "max_failures": draw(st.integers(0, 2)),
        "priority": draw(st.integers(0, 1)),
        "on_conflict": draw(st.sampled_from(["wait", "wait", "skip"])),
    }
    kind = draw(
        st.sampled_from(["plain", "plain", "canary", "breaker", "line", "chain", "team", "ranges"])
    )
    if kind == "canary":
        asked |= {
            "canary": draw(st.integers(1, 2)),
            "canary_percent": draw(st.sampled_from([100, 50])),
        }
    elif kind == "breaker":
        asked["breaker"] = draw(st.sampled_from([{"in_row": 1}, {"in_all": 2}, {"in_row": 2}]))
    elif kind == "line":
        asked["sequential"] = True
    elif kind == "chain":
        asked["depends_on_previous"] = True
    elif kind == "ranges":
        asked["partitions_per_run"] = draw(st.sampled_from([0, 2, 3]))
    elif kind == "team":
        asked["tags"] = {"team": draw(st.sampled_from(TEAMS))}
    return asked


VERBS = (
    "edit",
    "edit",
    "add",
    "remove",
    "retry",
    "retry",
    "block",
    "unblock",
    "mark",
    "slots",
    "team",
    "skip",
)


def control(world: World, draw: Draw, backfill_id: int, which: int, fault: Fault) -> None:
    """One of the verbs, on a backfill and a partition; being refused is an answer."""
    verb = draw(st.sampled_from(VERBS))
    db, definitions = world.db, world.house.definitions
    keys = world.house.shops
    key = keys[which % len(keys)]
    acts: dict[str, Callable[[], object]] = {
        "edit": lambda: edit(db, backfill_id, draw_once),
        "add": lambda: add_partitions(
            db, definitions, backfill_id, key, at=NOON, limit=100, reprocess="all"
        ),
        "remove": lambda: remove_partitions(
            db, definitions, backfill_id, key, at=NOON, limit=100, cancel_running=bool(which % 2)
        ),
        "retry": lambda: retrying.retry(
            db, definitions, backfill_id, RetryRequest(statuses=tuple(Retried)[: 1 + which % 3])
        ),
        "block": lambda: blocks.block(db, definitions, "shops", key, reason="broken", at=NOON),
        "unblock": lambda: blocks.unblock(db, definitions, "shops", key, at=NOON),
        "mark": lambda: marking.mark(
            db, definitions, "shops", key, status=BoxStatus.SUCCEEDED, at=NOON
        ),
        "slots": lambda: pooling.set_slots(db, POOL, which % 4),
        "team": lambda: pooling.set_tag_limit(db, "team", None, 1 + which % 2),
        "skip": lambda: skip_partition(db, backfill_id, key),
    }
    draw_once = draw(EDITS) if verb == "edit" else {}
    try:
        world.do(acts[verb], fault)
        world.note(f"control {verb}")
    except BackfillError:
        world.note("conflict")
