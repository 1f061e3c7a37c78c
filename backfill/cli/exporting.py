"""`backfill export` and `backfill cancel-runs`: many runs at once."""

from __future__ import annotations

import sys
from pathlib import Path
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
from backfill.cli.options import AsJson, Note, listed, tags_of
from backfill.cli.output import print_json, say
from backfill.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

PANEL = "Runs"
TABLES = ("runs", "outcomes")
FORMATS = ("csv", "jsonl")


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("export", rich_help_panel=PANEL)(export)
    app.command("cancel-runs", rich_help_panel=PANEL)(cancel_runs)


def export(
    table: Annotated[str, typer.Argument(metavar="runs|outcomes", help="What to export.")],
    format: Annotated[str, typer.Option("--format", help="csv or jsonl.")] = "csv",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Else it is printed.")
    ] = None,
    backfill: BackfillOption = None,
    partition_set: SetOption = None,
    partition: PartitionOption = None,
    pipeline: PipelineOption = None,
    states: StateOptions = None,
    tags: TagFilters = None,
    schedule: ScheduleOption = None,
    created_after: AfterOption = None,
    created_before: BeforeOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON Lines, as with --format jsonl.")
    ] = False,
) -> None:
    """Export every run, or every step outcome, that fits."""
    _one_of(table, TABLES, "runs|outcomes")
    _one_of(format, FORMATS, "--format")
    text = connection.client().export(
        table,
        format="jsonl" if as_json else format,
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
    if output is None:
        _copy(text, sys.stdout.buffer)
        return
    try:
        with output.open("wb") as file:
            _copy(text, file)
    except OSError as error:
        raise Invalid(f"{output} cannot be written: {error.strerror}.") from error


def cancel_runs(
    backfill: BackfillOption = None,
    partition_set: SetOption = None,
    partition: PartitionOption = None,
    pipeline: PipelineOption = None,
    states: StateOptions = None,
    tags: TagFilters = None,
    schedule: ScheduleOption = None,
    created_after: AfterOption = None,
    created_before: BeforeOption = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 1_000,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Cancel the unfinished runs that fit, newest first."""
    done = connection.client().cancel_runs(
        backfill=backfill,
        partition_set=partition_set,
        partition=partition,
        pipeline=pipeline,
        states=listed(states),
        tags=tags_of(tags) or None,
        schedule=schedule,
        created_after=created_after,
        created_before=created_before,
        limit=limit,
        note=note,
    )
    if as_json:
        print_json(done)
        return
    more = " Others fit as well: run it again." if done.more else ""
    say(f"{done.canceled} runs canceled, {done.told} running ones told to stop.{more}")


def _one_of(given: str, known: tuple[str, ...], where: str) -> None:
    if given not in known:
        raise typer.BadParameter(f"{given!r} is not {' or '.join(known)}", param_hint=where)


def _copy(text: Iterator[bytes], out: Any) -> None:
    for part in text:
        out.write(part)
    out.flush()
