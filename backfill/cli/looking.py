"""Commands that look at many partitions, at one box, and at what happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backfill.cli.connecting import connection
from backfill.cli.options import AsJson, Limit
from backfill.cli.output import STYLES, ago, each, print_json, print_table, say, state, took
from backfill.errors import Invalid

if TYPE_CHECKING:
    from rich.text import Text

    from backfill.schemas.backfills import Event
    from backfill.schemas.live import LiveEvent
    from backfill.schemas.matrix import BoxRun
    from backfill.schemas.overview import OverviewBucket
    from backfill.schemas.statistics import StepStatistics

SetArgument = Annotated[str, typer.Argument(metavar="SET", help="A partition set.")]
FirstOption = Annotated[str | None, typer.Option("--from", help="Begin at this partition.")]
LastOption = Annotated[str | None, typer.Option("--to", help="End with this partition.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for name, command in (("overview", overview), ("statistics", statistics), ("box", box)):
        app.command(name, rich_help_panel="Backfills")(command)
    app.command("events", rich_help_panel="Backfills")(events)


def overview(
    partition_set: SetArgument,
    buckets: Annotated[int, typer.Option(min=1, max=2_000, help="Lines, at most.")] = 20,
    first: FirstOption = None,
    last: LastOption = None,
    as_json: AsJson = False,
) -> None:
    """Show how many partitions of a whole set, or of a range, show which status."""
    told = connection.client().overview(partition_set, buckets=buckets, first=first, last=last)
    if as_json:
        print_json(told)
        return
    rows: list[tuple[Any, ...]] = [
        (f"{b.start + 1}-{b.stop}", _counts(b.runs), *(_counts(b.steps[s]) for s in told.steps))
        for b in told.buckets
    ]
    print_table(("PARTITIONS", "RUNS", *told.steps), rows, keep="PARTITIONS")
    say(f"{told.count} partitions: {_sum(told.buckets) or 'none ran'}.")


def statistics(
    partition_set: SetArgument,
    newest: Annotated[int, typer.Option(min=1, max=1_000, help="So many partitions.")] = 100,
    first: FirstOption = None,
    last: LastOption = None,
    as_json: AsJson = False,
) -> None:
    """Show how often each step failed and how long it took, over the newest partitions."""
    client = connection.client()
    told = client.step_statistics(partition_set, newest=newest, first=first, last=last)
    if as_json:
        print_json(told)
        return
    headers = ("STEP", "ENDED", "FAILED", "PERCENT", "MEAN", "P50", "P90", "P99", "LONGEST")
    print_table(headers, [_statistics_row(step) for step in told.steps], keep="STEP")
    if told.count:
        say(f"{told.count} partitions, from {told.first} to {told.last}.")


def box(
    partition_set: SetArgument,
    partition: Annotated[str, typer.Argument(metavar="PARTITION", help="Its key.")],
    step: Annotated[str, typer.Argument(metavar="STEP", help="A step.")],
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Show every run and attempt of one step of one partition, newest first."""
    found = each(connection.client().box(partition_set, partition, step), limit)
    if as_json:
        print_json(found)
    elif not found:
        say(f"{step} never ran for {partition}.")
    else:
        rows = [row for run in found for row in _box_rows(run)]
        print_table(("RUN", "BACKFILL", "TRY", "STATE", "TOOK", "STARTED", "WHY"), rows, keep="RUN")
        say(f"The log of one: backfill logs RUN --step {step}")


def events(
    backfill: Annotated[
        int | None, typer.Argument(metavar="[BACKFILL]", help="A backfill's id.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Print every move as it happens.")
    ] = False,
    run: Annotated[int | None, typer.Option("--run", help="Only of this run.")] = None,
    partition_set: Annotated[
        str | None, typer.Option("--set", help="Only of this partition set; with --follow.")
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Show what was done with a backfill or a run; with --follow, everything as it happens."""
    if follow:
        _follow(backfill, run, partition_set, as_json=as_json)
        return
    if (backfill is None) == (run is None) or partition_set is not None:
        raise Invalid("Say of which backfill, or of which --run; or --follow everything.")
    found = each(connection.client().events(backfill=backfill, run=run), limit)
    if as_json:
        print_json(found)
    elif not found:
        say("Nothing was done with it.")
    else:
        print_table(("WHEN", "EVENT", "BY", "WHAT"), [_event_row(e) for e in found], keep="EVENT")


# -- formatting ---------------------------------------------------------------------------------


def _follow(
    backfill: int | None, run: int | None, partition_set: str | None, *, as_json: bool
) -> None:
    client = connection.client(retries=8)
    try:
        for event in client.listen(backfill=backfill, run=run, partition_set=partition_set):
            if as_json:
                typer.echo(event.model_dump_json())
            else:
                _print_event(event)
    except KeyboardInterrupt:
        return


def _print_event(event: LiveEvent) -> None:
    from rich.text import Text

    if event.name == "reset":
        say("Something was missed: what follows is not all.")
    moves = event.moves
    if moves is None:
        return
    at = moves.at.astimezone().strftime("%H:%M:%S")
    for one in moves.backfills:
        if one.state is not None:
            say(Text.assemble(f"{at} backfill {one.id} ({one.partition_set}) ", state(one.state)))
    for moved in moves.runs:
        what = f"{at} run {moved.id} ({moved.partition or 'no partition'}) "
        say(Text.assemble(what, state(moved.state)))
    for step in moves.steps:
        say(Text.assemble(f"{at} run {step.run_id} step {step.step} ", state(step.state)))
    if moves.more:
        say(f"{at} and many more runs at once")


def _counts(counts: Mapping[str, int]) -> Text:
    from rich.text import Text

    parts = [(f"{n} {status}  ", STYLES.get(status, "")) for status, n in counts.items() if n]
    return Text.assemble(*parts)


def _sum(buckets: list[OverviewBucket]) -> str:
    total: Counter[str] = Counter()
    for bucket in buckets:
        total.update(bucket.runs)
    return ", ".join(f"{number} {status}" for status, number in total.most_common() if number)


def _statistics_row(step: StepStatistics) -> tuple[Any, ...]:
    percent = "" if step.failure_percent is None else f"{step.failure_percent:.3g} %"
    told = step.durations
    if told is None:
        return (step.step, step.ended, step.failed, percent, *[""] * 5)
    times = (told.mean, told.p50, told.p90, told.p99, told.longest)
    return (step.step, step.ended, step.failed, percent, *(f"{t:.3g}s" for t in times))


def _box_rows(run: BoxRun) -> list[tuple[Any, ...]]:
    if not run.outcomes:
        return [(run.run_id, run.backfill_id, "", state(run.state), "", "", "")]
    return [
        (
            run.run_id,
            run.backfill_id,
            outcome.attempt,
            state(outcome.state),
            took(outcome.started_at, outcome.finished_at),
            ago(outcome.started_at),
            outcome.reason or (outcome.errors[-1].message if outcome.errors else None),
        )
        for outcome in run.outcomes
    ]


def _event_row(event: Event) -> tuple[Any, ...]:
    return (ago(event.at), event.kind, event.actor, event.message)
