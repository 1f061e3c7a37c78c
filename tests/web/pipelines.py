"""What the browser's tests look at."""

from backfill import Partition, PartitionSetDefinition, pipeline, step
from tests.support.marks import Marks

HOSTILE = "<img src=x onerror=alert(1)>"


@step
def load(context):
    context.log.info(f"loading {context.partition_key}")
    return 1


@step
def check(context, rows):
    if context.partition_key.endswith("-3"):
        raise ValueError(f"bad rows {HOSTILE}")
    return rows


@step
def store(context, rows):
    context.log.info(f"stored {HOSTILE}")


@pipeline
def shaky():
    """Fails for every partition whose key ends in -3."""
    store(check(load()))


parts = PartitionSetDefinition(
    name="parts",
    pipeline_name="shaky",
    partition_fn=lambda: [Partition(f"part-{n}") for n in range(1, 9)] + [Partition(HOSTILE)],
)

parts_every_day = parts.create_schedule_definition(
    "parts_every_day",
    "0 6 * * *",
    partition_selector=lambda context, partition_set: partition_set.get_partition("part-1"),
)


@step
def talk(context):
    marks = Marks.of_this_process()
    context.log.info(f"{context.partition_key} has begun")
    marks.make(context, "talking")
    marks.wait_allowed(context, listening=False)
    context.log.warning(f"{context.partition_key} was let go")


@step
def rest(context):
    context.log.info("resting")


@pipeline
def gated():
    """Waits for each partition until a test lets it go on."""
    rest(after=talk())


gates = PartitionSetDefinition(
    name="gates",
    pipeline_name="gated",
    partition_fn=lambda: [Partition(f"gate-{n}") for n in range(1, 5)],
)
