"""`backfill submit` and `backfill plan`: what would run and why, then the asking."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backfill.cli import guarding
from backfill.cli.connecting import connection
from backfill.cli.options import (
    AsJson,
    ConfigFile,
    Note,
    StepOptions,
    TagOptions,
    config_of,
    listed,
    tags_of,
)
from backfill.cli.output import clean, messages, print_json, say
from backfill.cli.selecting import All, From, Partitions, Select, To, selection_of
from backfill.cli.validating import print_validation
from backfill.cli.watching import follow

if TYPE_CHECKING:
    from backfill.schemas.backfills import Backfill, Estimate, Plan, PlanGroup
    from backfill.schemas.definitions import ResolvedConfig

PANEL = "Backfills"

SetName = Annotated[str, typer.Argument(metavar="SET", help="A partition set.")]
Reprocess = Annotated[
    str | None,
    typer.Option(
        "--reprocess",
        metavar="WHICH",
        help="Which of them run: missing (all but what succeeded), failed, all or stale.",
    ),
]
NewestFirst = Annotated[bool, typer.Option("--newest-first", help="The same as --order newest.")]
Order = Annotated[
    str | None,
    typer.Option("--order", metavar="HOW", help="oldest, newest, listed or weight (heaviest)."),
]
Sequential = Annotated[
    bool, typer.Option("--sequential", help="One at a time, in order; a retry keeps its place.")
]
DependsOnPrevious = Annotated[
    bool,
    typer.Option(
        "--depends-on-previous", help="Each waits until the partition before it succeeded."
    ),
]
Windows = Annotated[
    list[str] | None,
    typer.Option(
        "--window",
        metavar="HOURS",
        help="Run only then, such as 'mon-fri 20:00-06:00 Europe/Zurich'; may be repeated.",
    ),
]
MaxActive = Annotated[int | None, typer.Option(min=1, help="At most so many runs at a time.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("submit", rich_help_panel=PANEL)(submit)
    app.command("plan", rich_help_panel=PANEL)(plan)


def submit(
    partition_set: SetName,
    from_: From = None,
    to: To = None,
    partitions: Partitions = None,
    all_: All = False,
    select: Select = None,
    reprocess: Reprocess = None,
    max_active: MaxActive = None,
    priority: Annotated[int, typer.Option(help="Higher goes first.")] = 0,
    newest_first: NewestFirst = False,
    order: Order = None,
    sequential: Sequential = False,
    depends_on_previous: DependsOnPrevious = False,
    windows: Windows = None,
    max_failures: Annotated[
        int, typer.Option(min=0, help="How often a failed run is tried again.")
    ] = 0,
    per_run: Annotated[
        str | None,
        typer.Option(
            "--partitions-per-run", metavar="N|all", help="Run so many neighbours together."
        ),
    ] = None,
    run_timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="So long may an attempt of a run take.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="So long may all of it take.")
    ] = None,
    on_timeout: Annotated[
        str, typer.Option(metavar="HOW", help="cancel or pause what is left then.")
    ] = "cancel",
    tags: TagOptions = None,
    config: ConfigFile = None,
    steps: StepOptions = None,
    note: Note = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Call no hooks of its steps.")] = False,
    canary: guarding.Canary = None,
    canary_percent: guarding.CanaryPercent = 100,
    canary_only: guarding.CanaryOnly = False,
    breaker: guarding.BreakerOptions = None,
    on_conflict: guarding.OnConflict = "wait",
    limit: guarding.First = None,
    sample: guarding.Sample = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show how it goes.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a pipeline for many partitions: show what would run, ask, submit."""
    client = connection.client()
    asked: dict[str, Any] = {
        "reprocess": reprocess,
        "max_active_runs": max_active,
        "priority": priority,
        "ordering": _ordering(order, newest_first),
        "sequential": sequential or None,
        "depends_on_previous": depends_on_previous or None,
        "windows": windows,
        "max_failures": max_failures,
        "partitions_per_run": _together(per_run),
        "run_timeout_seconds": run_timeout,
        "timeout_seconds": timeout,
        "on_timeout": on_timeout,
        "tags": tags_of(tags),
        "run_config": config_of(config),
        "steps": listed(steps),
        "note": note,
        "quiet": quiet or None,
        "canary_percent": canary_percent,
        "breaker": guarding.breaker_of(breaker),
        "on_conflict": on_conflict,
        **guarding.few_of(canary, canary_only=canary_only, limit=limit, sample=sample),
    }
    selection = selection_of(from_, to, partitions, all_, select)
    if not as_json:
        asks = not yes and sys.stdin.isatty()
        planned = client.plan(partition_set, selection, **asked)
        _print_plan(planned, messages().print)
        if asks and reprocess is None and planned.count < planned.selected:
            asked["reprocess"] = _ask_which()
            if asked["reprocess"] != planned.reprocess:
                planned = client.plan(partition_set, selection, **asked)
                _print_plan(planned, messages().print)
        _refuse_invalid(planned)
        if planned.count and asks:
            typer.confirm("Submit?", abort=True, err=True)
        asked["planned"] = planned.counts
    handle = client.submit(partition_set, selection, **asked)
    if as_json and not watch:
        print_json(handle.info)
    elif not as_json:
        _tell_submitted(handle.info)
    if watch:
        follow(handle, as_json=as_json)
    elif not as_json:
        messages().print(f"Watch it: backfill watch {handle.id}", style="dim")


def plan(
    partition_set: SetName,
    from_: From = None,
    to: To = None,
    partitions: Partitions = None,
    all_: All = False,
    select: Select = None,
    reprocess: Reprocess = None,
    max_active: MaxActive = None,
    order: Order = None,
    depends_on_previous: DependsOnPrevious = False,
    config: ConfigFile = None,
    steps: StepOptions = None,
    partition: Annotated[
        str | None, typer.Option("--config-of", metavar="KEY", help="Show this run config, too.")
    ] = None,
    validate: Annotated[
        bool, typer.Option("--validate", help="Validate the run config of every partition.")
    ] = False,
    canary: guarding.Canary = None,
    canary_only: guarding.CanaryOnly = False,
    on_conflict: guarding.OnConflict = "wait",
    limit: guarding.First = None,
    sample: guarding.Sample = None,
    as_json: AsJson = False,
) -> None:
    """Show what submitting the same would do, and why; nothing is kept."""
    client = connection.client()
    selection = selection_of(from_, to, partitions, all_, select)
    asked: dict[str, Any] = {
        "reprocess": reprocess,
        "max_active_runs": max_active,
        "ordering": order,
        "depends_on_previous": depends_on_previous or None,
        "run_config": config_of(config),
        "steps": listed(steps),
    }
    asked |= {"on_conflict": on_conflict}
    asked |= guarding.few_of(canary, canary_only=canary_only, limit=limit, sample=sample)
    planned = client.plan(partition_set, selection, partition=partition, **asked)
    if as_json:
        print_json(planned)
        return
    _print_plan(planned, say)
    if partition is not None and planned.config is not None:
        _print_config(planned.config)
    if validate:
        print_validation(client.validate(partition_set, selection, **asked))
    else:
        _refuse_invalid(planned)


def _ordering(order: str | None, newest_first: bool) -> str:
    if order is not None and newest_first:
        raise typer.BadParameter("--order and --newest-first each say the order: give one")
    return order or ("newest" if newest_first else "oldest")


def _together(given: str | None) -> int | None:
    """Return how many partitions a run takes, 0 for all neighbours."""
    if given is None or given == "all":
        return None if given is None else 0
    if not given.isdecimal() or int(given) < 1:
        raise typer.BadParameter("give a number or all", param_hint="--partitions-per-run")
    return int(given)


def _ask_which() -> str:
    """Ask what to do with partitions that ran before."""
    from click import Choice

    which = Choice(["missing", "failed", "all", "stale"])
    answer: str = typer.prompt("Run which of them?", "missing", type=which, err=True)
    return answer


def _print_config(resolved: ResolvedConfig) -> None:
    import yaml

    say(clean(f"Run config of {resolved.partition}:"))
    say(clean(yaml.safe_dump(resolved.config, sort_keys=False, allow_unicode=True).rstrip()))


def _print_plan(plan: Plan, out: Callable[[str], None]) -> None:
    ends = _ends(plan.first, plan.last, plan.selected)
    out(clean(f"{plan.partition_set}: {_partitions(plan.selected)}, {ends}"))
    for group in plan.groups:
        out(clean(f"  {_group(group)}"))
    checked = "" if plan.checked >= plan.count else f", configs of {plan.checked} checked"
    out(clean(f"pipeline {plan.pipeline}{checked}{_estimate(plan.estimate)}"))


def _group(group: PlanGroup) -> str:
    verb = {"run": "run", "wait": "wait", "skip": "left out"}[group.action]
    ends = _ends(group.first, group.last, group.count)
    return f"{group.count:>7,} {verb:<8}  {group.sentence} ({ends})"


def _estimate(estimate: Estimate) -> str:
    from backfill.client.watching import duration

    if not estimate.seconds:
        return ""
    low, high = duration(estimate.low_seconds or 0), duration(estimate.high_seconds or 0)
    likely = "" if low == high else f" ({low} to {high})"
    return f", about {duration(estimate.seconds)}{likely} with {estimate.concurrency} at a time"


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


def _tell_submitted(submitted: Backfill) -> None:
    from backfill.schemas.backfills import Submitted

    say(f"Backfill {submitted.id} submitted: {_partitions(submitted.total)}.")
    for change in submitted.changes if isinstance(submitted, Submitted) else ():
        say(f"  {change.group}: {change.now} now, {change.planned} when it was planned")


def _ends(first: str, last: str, count: int) -> str:
    return first if count == 1 else f"{first} … {last}"


def _partitions(count: int) -> str:
    return f"{count:,} partition" + ("" if count == 1 else "s")
