"""Commands about backfills: look, watch, steer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from backfill.cli.connecting import connection
from backfill.cli.guarding import told_breaker, told_canary
from backfill.cli.options import AsJson, BackfillId, Limit, Note, listed
from backfill.cli.output import ago, each, print_json, print_table, say, state, took
from backfill.cli.watching import follow

if TYPE_CHECKING:
    from backfill.client import BackfillHandle, Client
    from backfill.schemas.backfills import Backfill

FAILED_SHOWN = 10
PANEL = "Backfills"


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for name, command in (
        ("list", list_),
        ("show", show),
        ("watch", watch),
        ("pause", pause),
        ("resume", resume),
        ("cancel", cancel),
        ("skip", skip),
    ):
        app.command(name, rich_help_panel=PANEL)(command)


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
    follow(connection.client(retries=8).backfill(backfill_id), as_json=as_json)


def pause(backfill_id: BackfillId, note: Note = None, as_json: AsJson = False) -> None:
    """Start no more runs of a backfill; those that run go on."""
    _told(connection.client().backfill(backfill_id).pause(note), as_json=as_json)


def resume(backfill_id: BackfillId, note: Note = None, as_json: AsJson = False) -> None:
    """Let a paused backfill go on."""
    _told(connection.client().backfill(backfill_id).resume(note), as_json=as_json)


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


def skip(
    backfill_id: BackfillId,
    partition: Annotated[str, typer.Argument(metavar="PARTITION", help="Its key.")],
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Let a line that depends on the previous partition go on without one that stops it."""
    told = connection.client().backfill(backfill_id).skip(partition, note)
    if as_json:
        print_json(told)
    else:
        say(f"Backfill {told.id} goes on without {partition}.")


# -- formatting ---------------------------------------------------------------------------------


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


def _order(backfill: Backfill) -> str | None:
    if backfill.depends_on_previous:
        return "each depends on the partition before it"
    order = None if backfill.ordering == "oldest" else backfill.ordering
    if not backfill.sequential:
        return order
    return f"one at a time, {order}" if order else "one at a time"


def _print_backfill(backfill: Backfill) -> None:
    from rich.text import Text

    from backfill.client.watching import summary
    from backfill.definitions.hours import Hours

    say(Text.assemble(f"Backfill {backfill.id} ", state(backfill.state)))
    facts = {
        "set": f"{backfill.partition_set} (pipeline {backfill.pipeline})",
        "selection": backfill.selection,
        "runs": summary(backfill),
        "paused": backfill.pause_reason,
        "submitted": f"{ago(backfill.created_at)} by {backfill.created_by or 'nobody'}",
        "took": took(backfill.started_at, backfill.finished_at),
        "limit": f"{backfill.max_active_runs} at a time" if backfill.max_active_runs else None,
        "order": _order(backfill),
        "stopped": backfill.stopped_by
        and f"waits for {backfill.stopped_by}, which did not succeed: retry or skip it",
        "pools": ", ".join(f"{name} ({n})" for name, n in backfill.pools.items()),
        "windows": "; ".join(str(Hours.unpacked(w.model_dump())) for w in backfill.windows),
        "opens": backfill.opens_at and f"{backfill.opens_at:%Y-%m-%d %H:%M} UTC",
        "steps": ", ".join(backfill.steps or ()),
        "tags": ", ".join(f"{k}={v}" for k, v in backfill.tags.items()),
        "canary": told_canary(backfill),
        "breaker": told_breaker(backfill),
        "conflicts": backfill.on_conflict if backfill.on_conflict != "wait" else None,
        "together": _together(backfill.partitions_per_run),
        "time": _time_limit(backfill),
        "clone of": backfill.cloned_from,
        "retried": f"generation {backfill.generation}" if backfill.generation else None,
        "note": backfill.note,
        "left out": ", ".join(f"{n:,} {why}" for why, n in backfill.left_out.items()),
        "vanished": f"{backfill.vanished} partitions left the set" if backfill.vanished else None,
    }
    for name, value in facts.items():
        if value:
            say(f"  {name:<10} {value}")


def _together(size: int | None) -> str | None:
    if size is None:
        return None
    return f"{size or 'all'} neighbouring partitions in one run"


def _time_limit(backfill: Backfill) -> str | None:
    limits = []
    if backfill.deadline_at is not None:
        then = f"{backfill.deadline_at:%Y-%m-%d %H:%M} UTC"
        limits.append(f"until {then}, then {backfill.on_timeout or 'cancel'}")
    if backfill.run_timeout_seconds is not None:
        limits.append(f"{backfill.run_timeout_seconds:g} s for an attempt of a run")
    return ", ".join(limits) or None


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


def _told(backfill: Backfill, *, as_json: bool) -> None:
    if as_json:
        print_json(backfill)
    else:
        say(f"Backfill {backfill.id} is {backfill.state}.")
