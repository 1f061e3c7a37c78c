"""Commands that do something again: `retry`, `re-execute`, `lineage`."""

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
from backfill.cli.options import AsJson, Note, RunId, listed, tags_of
from backfill.cli.output import ago, print_json, print_table, say, state, took
from backfill.cli.watching import follow

if TYPE_CHECKING:
    from backfill.schemas.runs import Run

StepsOption = Annotated[
    list[str] | None,
    typer.Option("--steps", metavar="STEPS", help="Only these: `load`, `*load`, `load*`, `+load`."),
]
FromStep = Annotated[
    str | None,
    typer.Option("--from-step", metavar="STEP", help="This step and all downstream of it."),
]
AllSteps = Annotated[
    bool, typer.Option("--all-steps", help="Every step, also those that succeeded.")
]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("retry", rich_help_panel="Backfills")(retry)
    app.command("re-execute", rich_help_panel="Runs")(reexecute)
    app.command("lineage", rich_help_panel="Runs")(lineage)


def retry(
    target: Annotated[int, typer.Argument(metavar="ID", help="A backfill's id.")],
    run: Annotated[bool, typer.Option("--run", help="The id is a run's.")] = False,
    statuses: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="WHICH",
            help="Of a backfill only these: failed, canceled, missing (never launched).",
        ),
    ] = None,
    steps: StepsOption = None,
    from_step: FromStep = None,
    all_steps: AllSteps = False,
    note: Note = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show how the backfill goes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Try what of a backfill did not succeed again, from its failures; or re-execute a run.

    Steps that succeeded are not executed again: their outputs are loaded.
    """
    client = connection.client()
    how: dict[str, Any] = _how(steps, from_step, all_steps)
    if run:
        made = client.run(target).reexecute(**how, note=note).info
        if as_json:
            print_json(made)
        else:
            say(f"Run {made.id} re-executes run {target}. Its log: backfill logs {made.id} -f")
        return
    handle = client.backfill(target)
    told = handle.retry(statuses=listed(statuses), **how, note=note)
    if as_json and not watch:
        print_json(told)
    elif not as_json:
        say(f"Backfill {told.id} is {told.state}: generation {told.generation} is being made.")
    if watch:
        follow(handle, as_json=as_json)


def reexecute(
    backfill: BackfillOption = None,
    partition_set: SetOption = None,
    partition: PartitionOption = None,
    pipeline: PipelineOption = None,
    states: StateOptions = None,
    tags: TagFilters = None,
    schedule: ScheduleOption = None,
    created_after: AfterOption = None,
    created_before: BeforeOption = None,
    steps: StepsOption = None,
    from_step: FromStep = None,
    all_steps: AllSteps = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 1_000,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Re-execute the runs that fit, failed and canceled ones unless states are named."""
    done = connection.client().reexecute_runs(
        backfill=backfill,
        partition_set=partition_set,
        partition=partition,
        pipeline=pipeline,
        states=listed(states),
        tags=tags_of(tags) or None,
        schedule=schedule,
        created_after=created_after,
        created_before=created_before,
        **_how(steps, from_step, all_steps),
        limit=limit,
        note=note,
    )
    if as_json:
        print_json(done)
        return
    more = " Others fit as well: run it again." if done.more else ""
    say(f"{done.made} runs made.{more}")


def lineage(run_id: RunId, as_json: AsJson = False) -> None:
    """Show which runs a run re-executes, and which re-execute it."""
    told = connection.client().run(run_id).lineage()
    if as_json:
        print_json(told)
        return
    headers = ("RUN", "OF", "HOW", "STEPS", "STATE", "MADE", "TOOK", "WHY")
    print_table(headers, [_row(run, str(run_id)) for run in told.runs], keep="RUN")


def _how(steps: list[str] | None, from_step: str | None, all_steps: bool) -> dict[str, Any]:
    if all_steps and (steps or from_step):
        raise typer.BadParameter("give either --all-steps or some", param_hint="--steps")
    return {
        "mode": "all" if all_steps else "from_failure",
        "steps": listed(steps),
        "from_step": from_step,
    }


def _row(run: Run, asked: str) -> tuple[Any, ...]:
    return (
        f"{run.id} *" if run.id == asked else run.id,
        run.parent_id,
        run.mode,
        ", ".join(run.steps or ()),
        state(run.state),
        ago(run.created_at),
        took(run.started_at, run.finished_at),
        run.error_message or run.reason,
    )
