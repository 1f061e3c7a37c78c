"""Commands about backfills: submit, look, watch, steer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backfill.cli.connecting import connection
from backfill.cli.options import (
    AsJson,
    BackfillId,
    ConfigFile,
    Limit,
    Note,
    StepOptions,
    TagOptions,
    config_of,
    listed,
    tags_of,
)
from backfill.cli.output import (
    ago,
    clean,
    each,
    messages,
    print_json,
    print_table,
    say,
    state,
    took,
)

if TYPE_CHECKING:
    from backfill.client import BackfillHandle, Client
    from backfill.schemas.backfills import Backfill, Plan

FAILED_SHOWN = 10
PANEL = "Backfills"

SetName = Annotated[str, typer.Argument(metavar="SET", help="A partition set.")]
From = Annotated[str | None, typer.Option("--from", help="First partition of a range.")]
To = Annotated[str | None, typer.Option("--to", help="Last partition of the range, inclusive.")]
Partitions = Annotated[
    str | None, typer.Option("--partitions", metavar="KEYS", help="Partitions between commas.")
]
All = Annotated[bool, typer.Option("--all", help="Every partition.")]
Select = Annotated[
    str | None,
    typer.Option("--select", help="A selection, such as '[2020-05-01...] & dow:mon-fri'."),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for name, command in (
        ("submit", submit),
        ("plan", plan),
        ("list", list_),
        ("show", show),
        ("watch", watch),
        ("pause", pause),
        ("resume", resume),
        ("cancel", cancel),
    ):
        app.command(name, rich_help_panel=PANEL)(command)


def submit(
    partition_set: SetName,
    from_: From = None,
    to: To = None,
    partitions: Partitions = None,
    all_: All = False,
    select: Select = None,
    max_active: Annotated[
        int | None, typer.Option(min=1, help="At most so many runs at a time.")
    ] = None,
    priority: Annotated[int, typer.Option(help="Higher goes first.")] = 0,
    newest_first: Annotated[bool, typer.Option("--newest-first", help="Newest first.")] = False,
    max_failures: Annotated[
        int, typer.Option(min=0, help="How often a failed run is tried again.")
    ] = 0,
    tags: TagOptions = None,
    config: ConfigFile = None,
    steps: StepOptions = None,
    note: Note = None,
    watch_it: Annotated[bool, typer.Option("--watch", help="Show how it goes.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a pipeline for many partitions: show what would run, ask, submit."""
    client = connection.client()
    asked: dict[str, Any] = {
        "max_active_runs": max_active,
        "priority": priority,
        "ordering": "newest" if newest_first else "oldest",
        "max_failures": max_failures,
        "tags": tags_of(tags),
        "run_config": config_of(config),
        "steps": listed(steps),
        "note": note,
    }
    selection = _selection(from_, to, partitions, all_, select)
    if not as_json:
        planned = client.plan(partition_set, selection, **asked)
        _print_plan(planned, to_messages=True)
        _refuse_invalid(planned)
        if not yes and sys.stdin.isatty():
            typer.confirm("Submit?", abort=True, err=True)
    handle = client.submit(partition_set, selection, **asked)
    if as_json and not watch_it:
        print_json(handle.info)
        return
    if not as_json:
        say(f"Backfill {handle.id} submitted: {_partitions(handle.info.total)}.")
    if watch_it:
        _watch(handle, as_json=as_json)
    else:
        messages().print(f"Watch it: backfill watch {handle.id}", style="dim")


def plan(
    partition_set: SetName,
    from_: From = None,
    to: To = None,
    partitions: Partitions = None,
    all_: All = False,
    select: Select = None,
    config: ConfigFile = None,
    steps: StepOptions = None,
    as_json: AsJson = False,
) -> None:
    """Show what submitting the same would do; nothing is kept."""
    planned = connection.client().plan(
        partition_set,
        _selection(from_, to, partitions, all_, select),
        run_config=config_of(config),
        steps=listed(steps),
    )
    if as_json:
        print_json(planned)
    else:
        _print_plan(planned)
        _refuse_invalid(planned)


def list_(
    states: Annotated[
        list[str] | None, typer.Option("--state", help="Only in this state; may be repeated.")
    ] = None,
    partition_set: Annotated[
        str | None, typer.Option("--set", help="Only of this partition set.")
    ] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List backfills, newest first."""
    client = connection.client()
    found = each(client.backfills(states=listed(states), partition_set=partition_set), limit)
    if as_json:
        print_json(found)
    elif not found:
        say("No backfills. Submit one: backfill submit SET --all")
    else:
        print_table(
            ("ID", "SET", "STATE", "DONE", "FAILED", "SELECTION", "SUBMITTED"),
            [_row(backfill) for backfill in found],
            keep="ID",
        )


def show(backfill_id: BackfillId, as_json: AsJson = False) -> None:
    """Show how a backfill stands, and the runs of it that failed."""
    client = connection.client()
    handle = client.backfill(backfill_id)
    if as_json:
        print_json(handle.info)
        return
    _print_backfill(handle.info)
    _print_failed(client, handle)


def watch(backfill_id: BackfillId, as_json: AsJson = False) -> None:
    """Show live how a backfill goes; the exit status is 0 only if it succeeded."""
    _watch(connection.client(retries=8).backfill(backfill_id), as_json=as_json)


def pause(backfill_id: BackfillId, note: Note = None, as_json: AsJson = False) -> None:
    """Start no more runs of a backfill; those that run go on."""
    _told(connection.client().backfill(backfill_id).pause(note), as_json=as_json)


def resume(backfill_id: BackfillId, as_json: AsJson = False) -> None:
    """Let a paused backfill go on."""
    _told(connection.client().backfill(backfill_id).resume(), as_json=as_json)


def cancel(
    target: Annotated[int, typer.Argument(metavar="ID", help="A backfill's id.")],
    run: Annotated[bool, typer.Option("--run", help="The id is a run's.")] = False,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Give a backfill up, or a run: nothing of it starts any more, and running steps are told."""
    client = connection.client()
    if not run:
        _told(client.backfill(target).cancel(note), as_json=as_json)
        return
    told = client.run(target).cancel(note)
    if as_json:
        print_json(told)
    else:
        waits = ": its worker is told to stop" if told.state == "running" else ""
        say(f"Run {told.id} is {told.state}{waits}.")


# -- formatting ---------------------------------------------------------------------------------


def _selection(
    from_: str | None, to: str | None, partitions: str | None, all_: bool, select: str | None
) -> str:
    from backfill.definitions.selection import from_parts

    return str(from_parts(from_, to, partitions, all_, select))


def _print_plan(plan: Plan, *, to_messages: bool = False) -> None:
    out = messages().print if to_messages else say
    ends = plan.first if plan.count == 1 else f"{plan.first} … {plan.last}"
    gaps = f" in {plan.range_count} ranges" if plan.range_count > 1 else ""
    out(clean(f"{plan.partition_set}: {_partitions(plan.count)}{gaps}, {ends}"))
    checked = "" if plan.checked == plan.count else f" (configs of {plan.checked} checked)"
    out(clean(f"pipeline {plan.pipeline}{checked}"))


def _refuse_invalid(plan: Plan) -> None:
    from backfill.errors import ConfigInvalid

    if not plan.problems:
        return
    problem = plan.problems[0]
    others = f" {plan.invalid - 1} more partitions have problems." if plan.invalid > 1 else ""
    raise ConfigInvalid(
        f'Partition "{problem.partition}" cannot run: {problem.detail}{others}',
        traceback=problem.traceback,
    )


def _row(backfill: Backfill) -> tuple[Any, ...]:
    progress = backfill.progress
    return (
        backfill.id,
        backfill.partition_set,
        state(backfill.state),
        f"{progress.finished}/{progress.of}",
        backfill.counts.failed or "",
        backfill.selection,
        ago(backfill.created_at),
    )


def _print_backfill(backfill: Backfill) -> None:
    from rich.text import Text

    from backfill.client.watching import summary

    say(Text.assemble(f"Backfill {backfill.id} ", state(backfill.state)))
    facts = {
        "set": f"{backfill.partition_set} (pipeline {backfill.pipeline})",
        "selection": backfill.selection,
        "runs": summary(backfill),
        "paused": backfill.pause_reason,
        "submitted": f"{ago(backfill.created_at)} by {backfill.created_by or 'nobody'}",
        "took": took(backfill.started_at, backfill.finished_at),
        "limit": f"{backfill.max_active_runs} at a time" if backfill.max_active_runs else None,
        "steps": ", ".join(backfill.steps or ()),
        "tags": ", ".join(f"{k}={v}" for k, v in backfill.tags.items()),
        "note": backfill.note,
        "vanished": f"{backfill.vanished} partitions left the set" if backfill.vanished else None,
    }
    for name, value in facts.items():
        if value:
            say(f"  {name:<10} {value}")


def _print_failed(client: Client, handle: BackfillHandle) -> None:
    if not handle.info.counts.failed:
        return
    failed = each(client.runs(backfill=handle.id, states=["failed"]), FAILED_SHOWN)
    say(f"\nFailed runs (backfill runs --backfill {handle.id} --state failed):")
    print_table(
        ("RUN", "PARTITION", "STEP", "ERROR"),
        [(r.id, r.partition, r.failed_step, r.error_message or r.reason) for r in failed],
        keep="RUN",
    )


def _watch(handle: BackfillHandle, *, as_json: bool) -> None:
    from rich.text import Text

    from backfill.client.watching import summary
    from backfill.client.watching import watch as watch_live

    if as_json:
        handle.wait()
        print_json(handle.info)
    else:
        watch_live([handle], console=messages())
        told = state(handle.info.state)
        say(Text.assemble(f"Backfill {handle.id} ", told, f": {summary(handle.info)}"))
        if handle.info.counts.failed:
            messages().print(f"What failed: backfill show {handle.id}", style="dim")
    if handle.info.state != "succeeded":
        raise typer.Exit(1)


def _told(backfill: Backfill, *, as_json: bool) -> None:
    if as_json:
        print_json(backfill)
    else:
        say(f"Backfill {backfill.id} is {backfill.state}.")


def _partitions(count: int) -> str:
    return f"{count} partition" + ("" if count == 1 else "s")
