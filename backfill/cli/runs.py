"""Commands about runs: launch one, list, look inside, read and follow logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from backfill.cli.connecting import connection
from backfill.cli.filtering import (
    AfterOption,
    BackfillOption,
    BeforeOption,
    PartitionOption,
    PipelineOption,
    ScheduleOption,
    SetOption,
    StateOptions,
    TagFilters,
)
from backfill.cli.guarding import OnConflict
from backfill.cli.options import (
    AsJson,
    ConfigFile,
    Limit,
    RunId,
    StepOptions,
    TagOptions,
    config_of,
    listed,
    tags_of,
)
from backfill.cli.output import ago, clean, console, each, print_json, print_table, say, state, took

if TYPE_CHECKING:
    from backfill.client import RunHandle
    from backfill.schemas.runs import LogLine, Run, StepOutcome

PANEL = "Runs"
LEVEL_STYLES = {
    "debug": "dim",
    "warning": "yellow",
    "error": "red",
    "critical": "bold red",
    "stderr": "yellow",
}


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for name, command in (("run", run), ("runs", runs), ("steps", steps), ("logs", logs)):
        app.command(name, rich_help_panel=PANEL)(command)


def run(
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE", help="A pipeline.")],
    partition_set: Annotated[
        str | None, typer.Option("--set", help="The set whose partition it is.")
    ] = None,
    partition: Annotated[str | None, typer.Option("--partition", help="The partition.")] = None,
    config: ConfigFile = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="The config is all: not merged over the partition's.")
    ] = False,
    tags: TagOptions = None,
    steps: StepOptions = None,
    priority: Annotated[int, typer.Option(help="Higher goes first.")] = 0,
    max_failures: Annotated[
        int, typer.Option(min=0, help="How often it is tried again when it fails.")
    ] = 0,
    on_conflict: OnConflict = "wait",
    watch: Annotated[
        bool, typer.Option("--watch", help="Follow its log; the exit status is the run's.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Launch one run of a pipeline, for a partition or for none."""
    handle = connection.client().launch(
        pipeline,
        partition_set=partition_set,
        partition=partition,
        run_config=config_of(config),
        config_mode="exact" if exact else "merge",
        tags=tags_of(tags),
        steps=listed(steps),
        priority=priority,
        max_failures=max_failures,
        on_conflict=on_conflict,
    )
    if not as_json:
        say(f"Run {handle.id} launched. Its log: backfill logs {handle.id} -f")
    if watch:
        if not as_json:
            _follow(handle, None)
        handle.wait()
        if not as_json:
            _tell_end(handle.info)
    if as_json:
        print_json(handle.info)
    if watch and handle.info.state != "succeeded":
        raise typer.Exit(1)


def runs(
    backfill: BackfillOption = None,
    partition_set: SetOption = None,
    partition: PartitionOption = None,
    pipeline: PipelineOption = None,
    states: StateOptions = None,
    tags: TagFilters = None,
    schedule: ScheduleOption = None,
    created_after: AfterOption = None,
    created_before: BeforeOption = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    listing = connection.client().runs(
        backfill=backfill,
        partition_set=partition_set,
        partition=partition,
        pipeline=pipeline,
        states=listed(states),
        tags=tags_of(tags) or None,
        schedule=schedule,
        created_after=created_after,
        created_before=created_before,
    )
    found = each(listing, limit)
    if as_json:
        print_json(found)
    elif not found:
        say("No runs.")
    else:
        headers = ("RUN", "PIPELINE", "PARTITION", "STATE", "TRY", "TOOK", "BACKFILL", "WHY")
        print_table(headers, [_row(run) for run in found], keep="RUN")


def steps(run_id: RunId, as_json: AsJson = False) -> None:
    """Show the steps of a run, attempt by attempt, with the errors."""
    client = connection.client()
    told = client.steps(run_id)
    if as_json:
        print_json(told)
        return
    _tell_end(client.run(run_id).info)
    rows = [_step_row(step) for step in told.steps]
    print_table(("TRY", "STEP", "STATE", "TOOK", "WHY"), rows, keep="STEP")
    for step in told.steps:
        for error in step.errors[-1:]:
            say(f"\n{step.step}, attempt {error.attempt}: {error.type}: {error.message}")
            say(error.traceback.rstrip())
    for error in told.errors:
        say(f"\nattempt {error.attempt}: {error.type}: {error.message}")
        say(error.traceback.rstrip())


def logs(
    run_id: RunId,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on until the run has ended.")
    ] = False,
    step: Annotated[str | None, typer.Option("--step", help="Only this step's lines.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the log of a run."""
    handle = connection.client(retries=8 if follow else 2).run(run_id)
    if not as_json:
        _follow(handle, step, follow=follow)
        return
    for line in handle.logs(follow=follow, step=step):
        typer.echo(line.model_dump_json())


# -- formatting ---------------------------------------------------------------------------------


def _follow(handle: RunHandle, step: str | None, *, follow: bool = True) -> None:
    for line in handle.logs(follow=follow, step=step):
        _print_line(line)


def _print_line(line: LogLine) -> None:
    from rich.text import Text

    at = line.at.astimezone().strftime("%H:%M:%S")
    style = LEVEL_STYLES.get(line.level, "")
    console().print(
        Text.assemble(
            (f"{at} ", "dim"),
            (f"{line.level:<8} ", style),
            (f"{clean(line.step)}  " if line.step else "", "cyan"),
            (clean(line.message), style),
        ),
        soft_wrap=True,
    )


def _tell_end(run: Run) -> None:
    from rich.text import Text

    where = f" of {run.partition}" if run.partition else ""
    why = f": {run.error_message or run.reason}" if run.error_message or run.reason else ""
    say(
        Text.assemble(f"Run {run.id} ({run.pipeline}{clean(where)}) ", state(run.state), clean(why))
    )


def _row(run: Run) -> tuple[Any, ...]:
    return (
        run.id,
        run.pipeline,
        run.partition,
        state(run.state),
        run.attempt or "",
        took(run.started_at, run.finished_at) or ago(run.started_at),
        run.backfill_id,
        run.error_message or run.reason,
    )


def _step_row(step: StepOutcome) -> tuple[Any, ...]:
    return (
        step.attempt,
        step.step,
        state(step.state),
        took(step.started_at, step.finished_at),
        step.reason or (step.errors[-1].message if step.errors else None),
    )
