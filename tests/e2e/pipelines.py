"""Pipelines that wait, fail, die and come back, for tests with real processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from backfill import (
    Field,
    HookContext,
    HookedBackfill,
    Partition,
    PartitionSetDefinition,
    RetryPolicy,
    backfill_hook,
    failure_hook,
    pipeline,
    step,
    success_hook,
)
from tests.support.marks import Marks


def partitions(name: str, pipeline_name: str, letter: str, count: int) -> PartitionSetDefinition:
    """Partitions `p00`, `p01`, …"""
    return PartitionSetDefinition(
        name=name,
        pipeline_name=pipeline_name,
        partition_fn=lambda: [Partition(f"{letter}{n:02}") for n in range(count)],
    )


# -- one that waits until the test lets it go on --------------------------------------------------


@step
def prepare(context: Any) -> str:
    Marks.of_this_process().make(context, "prepared")
    return str(context.partition_key)


@step(
    config_schema={
        "listens": Field(bool, default_value=False, description="hears of a cancel"),
        "deaf": Field(bool, default_value=False, description="ignores being told to end"),
    }
)
def wait(context: Any, key: str) -> str:
    wants = context.step_config
    marks = Marks.of_this_process()
    marks.make(context, "waiting")
    allowed = False
    while not allowed:
        try:
            allowed = marks.wait_allowed(context, listening=wants["listens"])
        except SystemExit:
            marks.make(context, "told to end")
            if not wants["deaf"]:
                raise
    marks.make(context, "waited")
    return key


@step
def conclude(context: Any, key: str) -> None:
    Marks.of_this_process().make(context, "concluded")


@pipeline
def patience() -> None:
    conclude(wait(prepare()))


waiters = partitions("waiters", "patience", "p", 20)


def every_second_listens(partition: Partition) -> dict[str, Any]:
    """Half of the steps hear of a cancel; of the others every second ignores being told to end."""
    number = int(partition.name[1:])
    wants = {"listens": number % 2 == 0, "deaf": number % 4 == 3}
    return {"steps": {"wait": {"config": wants}}}


multitude = PartitionSetDefinition(
    name="multitude",
    pipeline_name="patience",
    partition_fn=lambda: [Partition(f"p{n:03}") for n in range(1_000)],
    run_config_fn_for_partition=every_second_listens,
)


@step
def wait_in_a_crowd(context: Any) -> None:
    if context.partition_key == "p30":
        marks = Marks.of_this_process()
        marks.make(context, "waiting")
        marks.wait_allowed(context, listening=False)


@pipeline
def crowd() -> None:
    wait_in_a_crowd()


crowds = partitions("crowds", "crowd", "p", 60)


# -- one that fails -------------------------------------------------------------------------------


@step
def read(context: Any) -> int:
    return int(context.partition_key[1:])


@step
def refuse_three(number: int) -> int:
    if number == 3:
        raise ValueError(f"{number} is not wanted") from KeyError("three")
    return number


@step
def publish(number: int) -> None:
    pass


@step
def beside(context: Any) -> None:
    context.log.info("an independent branch")


@pipeline
def choosy() -> None:
    publish(refuse_three(read()))
    beside()


choices = partitions("choices", "choosy", "p", 6)


# -- one that kills its process -------------------------------------------------------------------


@step
def step_on(context: Any) -> None:
    Marks.of_this_process().make(context, "stepped")
    if context.partition_key == "p60":
        os.kill(os.getpid(), signal.SIGKILL)


@step
def walk_away(context: Any) -> None:
    pass


@pipeline
def mined() -> None:
    walk_away(after=step_on())


mines = partitions("mines", "mined", "p", 80)


# -- ones that come back --------------------------------------------------------------------------


@step
def compute(context: Any) -> dict[str, int]:
    Marks.of_this_process().make(context, "computed")
    return {"answer": 42}


@step(retry_policy=RetryPolicy(max_retries=2, delay=0.05))
def stumble(context: Any, computed: dict[str, int]) -> int:
    Marks.of_this_process().make(context, "stumbled")
    if context.retry_number < 2:
        raise ConnectionError(f"try {context.retry_number}")
    return computed["answer"]


@step(retry_policy=RetryPolicy(max_retries=1, delay=5.2))  # too long to keep the slot
def rest(context: Any, answer: int) -> int:
    Marks.of_this_process().make(context, "rested")
    if context.retry_number < 1:
        raise TimeoutError("not yet")
    return answer


@step
def check(context: Any, answer: int) -> None:
    assert answer == 42
    context.log.info(f"the answer is {answer}")


@pipeline
def stubborn() -> None:
    check(rest(stumble(compute())))


returns = partitions("returns", "stubborn", "p", 4)


@step
def fail_once(context: Any) -> None:
    if context.attempt == 1:
        raise OSError("the first attempt fails")


@pipeline
def second_time_lucky() -> None:
    fail_once()


lucky = partitions("lucky", "second_time_lucky", "p", 3)


# -- one that does not stop, whatever it is told --------------------------------------------------


@step
def cling(context: Any) -> None:
    marks = Marks.of_this_process()
    marks.make(context, "clinging")
    while True:
        try:
            marks.wait_allowed(context, listening=False)
            return
        except BaseException:
            marks.make(context, "told to stop")


@pipeline
def limpets() -> None:
    cling()


clingers = partitions("clingers", "limpets", "p", 6)


@step(timeout_seconds=0.5)
def overstay(context: Any) -> None:
    marks = Marks.of_this_process()
    marks.make(context, "overstaying")
    while True:
        try:
            marks.wait_allowed(context, listening=False)
            return
        except BaseException:
            marks.make(context, "told to stop")


@pipeline
def overstayers() -> None:
    overstay()


overstays = partitions("overstays", "overstayers", "p", 3)


# -- one whose second step fails until the test mends it ------------------------------------------


@step
def gather(context: Any) -> str:
    Marks.of_this_process().make(context, "gathered")
    return f"gathered by {context.run_id}"


@step
def deliver(context: Any, gathered: str) -> None:
    marks = Marks.of_this_process()
    marks.make(context, "delivering")
    if not marks.allowed(context):
        raise OSError("the road is closed")
    context.add_metadata(what=gathered)


@pipeline
def deliveries() -> None:
    deliver(gather())


parcels = partitions("parcels", "deliveries", "p", 6)


# -- one that tells hooks what becomes of it ------------------------------------------------------


@success_hook
def note_success(context: HookContext) -> None:
    Marks.of_this_process().make(context, f"told success of {context.step_name}")


@failure_hook
def note_failure(context: HookContext) -> None:
    Marks.of_this_process().make(context, f"told failure of {context.step_name}")
    raise ConnectionError("nobody answers")


@backfill_hook
def note_backfill(backfill: HookedBackfill) -> None:
    folder = Path(os.environ["BACKFILL_HOME"]) / "told"
    folder.mkdir(exist_ok=True)
    (folder / f"{backfill.backfill_id}.{backfill.event}").write_text(backfill.state)


@step
def refuse_the_last(context: Any) -> None:
    if context.partition_key == "p02":
        raise ValueError("2 is not wanted")


@pipeline(hooks={note_success, note_failure, note_backfill})
def told() -> None:
    refuse_the_last()


tellings = partitions("tellings", "told", "p", 3)
