"""Commands about schedules: list, show, start, stop, tick by hand."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backfill.cli.connecting import connection
from backfill.cli.options import AsJson
from backfill.cli.output import (
    ago,
    clean,
    each,
    messages,
    print_json,
    print_table,
    say,
    state,
)

if TYPE_CHECKING:
    from rich.text import Text

    from backfill.schemas.schedules import PlannedRun, ScheduleStatus, Tick, TickOutcome

PANEL = "Schedules"
RUNS_SHOWN = 5

Name = Annotated[str, typer.Argument(metavar="NAME", help="A schedule.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    schedules = typer.Typer(help="List, start and stop schedules.", no_args_is_help=True)
    for name, command in (
        ("list", list_),
        ("show", show),
        ("start", start),
        ("stop", stop),
        ("tick", tick),
    ):
        schedules.command(name)(command)
    app.add_typer(schedules, name="schedules", rich_help_panel=PANEL)


def list_(as_json: AsJson = False) -> None:
    """List the schedules, their next ticks and their last ones."""
    found = connection.client().schedules()
    if as_json:
        print_json(found)
    elif not found:
        say("No schedules.")
    else:
        headers = ("NAME", "STATE", "TICKS AT", "NEXT", "LAST")
        print_table(headers, [_row(schedule) for schedule in found], keep="NAME")


def show(
    name: Name,
    ticks: Annotated[int, typer.Option(min=0, max=1_000, help="At most so many ticks.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show a schedule and its last ticks."""
    handle = connection.client().schedule(name)
    found: list[Tick] = each(handle.ticks(), ticks) if ticks else []
    if as_json:
        print_json({"schedule": handle.info, "ticks": found})
        return
    _print_schedule(handle.info)
    if found:
        say("")
        headers = ("TICK", "STATE", "RUNS", "WHY")
        print_table(headers, [_tick_row(handle.info, tick) for tick in found], keep="TICK")


def start(name: Name, as_json: AsJson = False) -> None:
    """Let a schedule tick from now on."""
    info = connection.client().schedule(name).start()
    if as_json:
        print_json(info)
        return
    say(f"Schedule {name} runs. Its next tick: {_time(info, info.next_ticks[0])}.")


def stop(name: Name, as_json: AsJson = False) -> None:
    """Let a schedule rest; the runs it made go on."""
    info = connection.client().schedule(name).stop()
    if as_json:
        print_json(info)
        return
    say(f"Schedule {name} is stopped.")


def tick(
    name: Name,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="A time at which it ticks, such as 2020-05-02T06:00, in its own time zone "
            "unless one is given; else its last tick.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what the tick would do.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Handle one tick now, whether or not the schedule runs."""
    time = _parsed(at)
    handle = connection.client().schedule(name)
    told = handle.tick(time, dry_run=dry_run)
    if as_json:
        print_json(told)
    else:
        _print_outcome(handle.info, told)
    if told.state == "failure":
        raise typer.Exit(1)


def _parsed(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a time such as 2020-05-02T06:00 or 2020-05-02T06:00-04:00",
            param_hint="--at",
        ) from None


# -- formatting ---------------------------------------------------------------------------------


def _row(schedule: ScheduleStatus) -> tuple[Any, ...]:
    from rich.text import Text

    definition, last = schedule.definition, schedule.last_tick
    shown: str | Text = ""
    if last is not None:
        shown = Text.assemble(state(last.state), f" {ago(last.tick_at)}")
    return (
        schedule.name,
        state(schedule.state),
        "not in the code" if definition is None else definition.cron,
        _time(schedule, schedule.next_ticks[0]) if schedule.next_ticks else "",
        shown,
    )


def _print_schedule(schedule: ScheduleStatus) -> None:
    from rich.text import Text

    since = f", {ago(schedule.changed_at)}" if schedule.changed_at else ""
    by = f" by {schedule.changed_by}" if schedule.changed_by else ""
    say(Text.assemble(f"{schedule.name} ", state(schedule.state), clean(f"{since}{by}")))
    definition = schedule.definition
    if definition is None:
        say("The code does not define it any more: it does not tick.")
        return
    rows = {
        "": definition.description,
        "ticks at": f"{definition.cron} ({definition.timezone})",
        "runs": definition.partition_set or definition.pipeline,
        "missed": f"catch-up {definition.catch_up}",
        "busy": f"{definition.when_busy} for partitions that are on their way",
        "next": ", ".join(_time(schedule, time) for time in schedule.next_ticks[:3]),
        "defined": definition.place,
    }
    for label, text in rows.items():
        if text:
            say(f"  {label:<9} {' '.join(text.split())}" if label else f"  {text.strip()}")


def _tick_row(schedule: ScheduleStatus, tick: Tick) -> tuple[Any, ...]:
    by = f"by hand ({tick.asked_by}) " if tick.by_hand else ""
    return (
        _time(schedule, tick.tick_at),
        state(tick.state),
        _listed([str(run_id) for run_id in tick.run_ids]),
        " ".join(f"{by}{tick.reason or ''}".split()),
    )


def _print_outcome(schedule: ScheduleStatus, told: TickOutcome) -> None:
    when = _time(schedule, told.tick_at)
    if told.error:
        messages().print(clean(told.error.rstrip()), style="dim", soft_wrap=True)
    if told.dry_run:
        what = {"success": "would make", "skipped": "would be skipped", "failure": "would fail"}
        runs = f" {told.run_count:,} run{'s' * (told.run_count != 1)}" if told.runs else ""
        why = f": {told.reason}" if told.reason else "."
        say(f"Tick {when} of {told.schedule} {what[told.state]}{runs}{why}")
        if told.runs:
            headers = ("PARTITION", "RUN KEY", "TAGS", "WAITS FOR")
            print_table(headers, [_run_row(run) for run in told.runs], keep="PARTITION")
        if told.handled is not None:
            say(f"It was handled already: {told.handled.state}.")
        return
    made = f", runs {_listed(list(told.run_ids))}" if told.run_ids else ""
    why = f": {told.reason}" if told.reason else "."
    say(f"Tick {when} of {told.schedule}: {told.state}{made}{why}")


def _run_row(run: PlannedRun) -> tuple[Any, ...]:
    tags = ", ".join(f"{key}={value}" for key, value in run.tags.items())
    waits = f"run {run.waits_for}" if run.waits_for else ""
    return (run.partition, run.run_key, tags, waits)


def _listed(ids: list[str]) -> str:
    more = f" and {len(ids) - RUNS_SHOWN} more" if len(ids) > RUNS_SHOWN else ""
    return ", ".join(ids[:RUNS_SHOWN]) + more


def _time(schedule: ScheduleStatus, time: datetime) -> str:
    """Return a time in the schedule's own zone, with its offset."""
    from zoneinfo import ZoneInfo

    zone = schedule.definition.timezone if schedule.definition is not None else "UTC"
    return time.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M%z")
