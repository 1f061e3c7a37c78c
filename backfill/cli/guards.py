"""Commands about guards: failures by error, blocked partitions, outcomes marked by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from backfill.cli.connecting import connection
from backfill.cli.options import AsJson, BackfillId, Limit, Note, StepOptions, listed
from backfill.cli.output import ago, each, print_json, print_table, say
from backfill.cli.selecting import All, From, Partitions, Select, To, selection_of
from backfill.cli.submitting import SetName

if TYPE_CHECKING:
    from backfill.schemas.guards import FailureGroup

PANEL = "Partitions"
LONGEST_SELECTION = 60


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("failures", rich_help_panel="Backfills")(failures)
    for command in (block, unblock, blocks, mark, unmark, marks):
        app.command(command.__name__, rich_help_panel=PANEL)(command)


def failures(
    backfill_id: BackfillId,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many groups.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the failed runs of a backfill by error, with the partitions as a selection."""
    found = connection.client().backfill(backfill_id).failures(limit=limit)
    if as_json:
        print_json(found)
        return
    runs, groups = _counted(found.count, "failed run"), _counted(found.groups, "kind")
    say(f"{runs} of backfill {backfill_id}, {groups} of errors.")
    if found.items:
        print_table(
            ("RUNS", "ERROR", "STEPS", "PARTITIONS", "LAST"), [_row(item) for item in found.items]
        )


def block(
    partition_set: SetName,
    reason: Annotated[str, typer.Option("--reason", help="Why; shown wherever it holds.")],
    from_: From = None,
    to: To = None,
    partitions: Partitions = None,
    all_: All = False,
    select: Select = None,
    as_json: AsJson = False,
) -> None:
    """Keep everything from running partitions until they are unblocked."""
    selection = selection_of(from_, to, partitions, all_, select)
    made = connection.client().partition_set(partition_set).block(selection, reason=reason)
    if as_json:
        print_json(made)
    else:
        what = f"{_counted(made.count, 'partition')} of {made.partition_set}"
        say(f"Block {made.id}: {what}: {made.reason}")


def unblock(
    partition_set: SetName,
    from_: From = None,
    to: To = None,
    partitions: Partitions = None,
    all_: All = False,
    select: Select = None,
    block_id: Annotated[
        int | None, typer.Option("--block", help="All that this block still holds.")
    ] = None,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Let blocked partitions run again."""
    handle = connection.client().partition_set(partition_set)
    if block_id is not None:
        count = handle.unblock(block_id=block_id, note=note)
    else:
        count = handle.unblock(selection_of(from_, to, partitions, all_, select), note=note)
    _tell_count(
        f"{_counted(count, 'partition')} of {partition_set} unblocked.", count, as_json=as_json
    )


def blocks(
    partition_set: Annotated[str | None, typer.Option("--set", help="Only of this set.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List what is blocked, newest first."""
    found = each(connection.client().blocks(partition_set=partition_set), limit)
    if as_json:
        print_json(found)
    elif not found:
        say("Nothing is blocked.")
    else:
        print_table(
            ("ID", "SET", "PARTITIONS", "SELECTION", "REASON", "BY", "SINCE"),
            [
                (
                    b.id,
                    b.partition_set,
                    f"{b.count:,}",
                    _short(b.selection),
                    b.reason,
                    b.created_by or "",
                    ago(b.created_at),
                )
                for b in found
            ],
            keep="ID",
        )


def mark(
    partition_set: SetName,
    status: Annotated[str, typer.Argument(metavar="STATUS", help="succeeded or missing.")],
    from_: From = None,
    to: To = None,
    partitions: Partitions = None,
    all_: All = False,
    select: Select = None,
    steps: StepOptions = None,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Say by hand that partitions, or steps of them, succeeded or are missing."""
    selection = selection_of(from_, to, partitions, all_, select)
    handle = connection.client().partition_set(partition_set)
    count = handle.mark(selection, status, steps=listed(steps), note=note)
    _tell_count(
        f"{_counted(count, 'partition')} of {partition_set} marked {status}.",
        count,
        as_json=as_json,
    )


def unmark(
    partition_set: SetName,
    from_: From = None,
    to: To = None,
    partitions: Partitions = None,
    all_: All = False,
    select: Select = None,
    steps: StepOptions = None,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Take marks back: what was recorded counts again."""
    selection = selection_of(from_, to, partitions, all_, select)
    handle = connection.client().partition_set(partition_set)
    count = handle.unmark(selection, steps=listed(steps), note=note)
    _tell_count(f"{_counted(count, 'mark')} of {partition_set} taken back.", count, as_json=as_json)


def marks(partition_set: SetName, limit: Limit = 50, as_json: AsJson = False) -> None:
    """List what was marked by hand in a partition set, newest first."""
    found = each(connection.client().partition_set(partition_set).marks(), limit)
    if as_json:
        print_json(found)
    elif not found:
        say("Nothing is marked.")
    else:
        print_table(
            ("PARTITION", "STEP", "STATUS", "NOTE", "BY", "MARKED"),
            [
                (
                    m.partition,
                    m.step or "all",
                    m.status,
                    m.note or "",
                    m.marked_by or "",
                    ago(m.marked_at),
                )
                for m in found
            ],
            keep="PARTITION",
        )


def _row(group: FailureGroup) -> tuple[str, ...]:
    steps = ", ".join(f"{step} ({n:,})" for step, n in group.steps.items() if step)
    selection = group.selection or f"{group.count:,} (--json tells)"
    return f"{group.count:,}", group.key, steps, _short(selection), ago(group.last_at)


def _counted(count: int, noun: str) -> str:
    """Return `1 mark`, `2,000 marks`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _short(selection: str) -> str:
    if len(selection) <= LONGEST_SELECTION:
        return selection
    return selection[: LONGEST_SELECTION - 1] + "…"


def _tell_count(told: str, count: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"count": count})
    else:
        say(told)
