"""Commands for one machine: a new project, everything embedded, the demonstration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backfill.cli.options import Files, Modules, definitions_of
from backfill.cli.output import clean, messages, say

if TYPE_CHECKING:
    from rich.console import Console

    from backfill.client import BackfillHandle, Client
    from backfill.local import LocalStack
    from backfill.settings import Settings

PANEL = "On this machine"
DEMO_SETS = ("date_partition_set", "weather_days")
DEMO_HOME = Path(".backfill/demo")
MATRIX_SHOWN = 8

Workers = Annotated[
    int, typer.Option("--workers", min=1, max=64, help="Runs executed at the same time.")
]
Flower = Annotated[bool, typer.Option("--flower/--no-flower", help="Run Flower with it.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for name, command in (("init", init), ("dev", dev), ("demo", demo)):
        app.command(name, rich_help_panel=PANEL)(command)


def init(
    folder: Annotated[Path, typer.Argument(help="Where to; made if it is not there.")] = Path(),
) -> None:
    """Write a small project to start from."""
    from backfill.local_init import create_project

    written = create_project(folder)
    for file in written:
        say(str(file))
    place = "" if folder == Path() else f"cd {folder} && "
    messages().print(f"Start it: {place}backfill dev -f {written[0].name}", style="dim")


def dev(
    modules: Modules = None,
    files: Files = None,
    workers: Workers = 2,
    nodes: Annotated[int, typer.Option(min=1, max=16, help="Celery workers.")] = 1,
    flower: Flower = True,
) -> None:
    """Run everything on this machine: broker, API, coordinator, workers and Flower."""
    from backfill.local import run_dev
    from backfill.settings import get_settings

    settings = get_settings()
    if given := definitions_of(modules, files):
        settings = settings.model_copy(update={"definitions": given})
    _require_definitions(settings)
    raise typer.Exit(run_dev(settings, workers=workers, nodes=nodes, flower=flower))


def demo(
    exit_: Annotated[
        bool, typer.Option("--exit", help="End when both are done; status 0 if all succeeded.")
    ] = False,
    workers: Workers = 2,
    flower: Flower = True,
) -> None:
    """Run the examples: every day of May 2020, and four years of Seattle's weather."""
    from rich.console import Console

    from backfill.local import example_files, run_dev
    from backfill.settings import get_settings

    console = Console(stderr=True, highlight=False)  # one for all: bars and lines must not mix
    settings = get_settings()
    if "home" not in settings.model_fields_set:
        settings = settings.model_copy(update={"home": DEMO_HOME})
    status = run_dev(
        settings,
        workers=workers,
        flower=flower,
        definitions=",".join(str(file) for file in example_files()),
        console=console,
        foreground=lambda stack: _show(stack, console, ends=exit_),
    )
    raise typer.Exit(status)


def _require_definitions(settings: Settings) -> None:
    """Load the definitions once, so that what does not import is said before anything starts.

    Raises:
        DefinitionsUnavailable: None are given, or they cannot be loaded.
    """
    from backfill.definitions.process import DefinitionsProcess
    from backfill.errors import DefinitionsUnavailable

    sources = settings.definition_sources()
    if not sources:
        raise DefinitionsUnavailable(
            "No definitions are given: name a file with -f or a module with -m, or set "
            "BACKFILL_DEFINITIONS. `backfill init` writes some to start from."
        )
    with DefinitionsProcess(sources, children=1) as definitions:
        catalog = definitions.catalog()
    if catalog.loaded_at is None and catalog.problems:
        problem = catalog.problems[0]
        raise DefinitionsUnavailable(problem.detail, traceback=problem.traceback)


def _show(stack: LocalStack, console: Console, *, ends: bool) -> int | None:
    """Run both examples and show them; return the exit status, or None to keep serving."""
    from backfill.cli.output import tell_error
    from backfill.client import Client
    from backfill.client.watching import watch
    from backfill.errors import BackfillError

    try:
        with Client(stack.settings.api_url, stack.settings.token) as client:
            handles = [client.submit(name, "all", reprocess="all") for name in DEMO_SETS]
            watch(handles, console=console)
            for handle in handles:
                _summarize(client, handle)
    except BackfillError as error:
        tell_error(error)
        return 1
    if ends:
        return 0 if all(handle.info.state == "succeeded" for handle in handles) else 1
    console.print(f"\nLook at it: {stack.settings.api_url}   Ctrl-C stops everything.")
    return None


def _summarize(client: Client, handle: BackfillHandle) -> None:
    from backfill.cli.matrix import print_matrix

    info = handle.info
    say(
        f"\n{clean(info.partition_set)}: {info.counts.succeeded} of {info.total} partitions "
        f"{'succeeded' if info.state == 'succeeded' else 'succeeded; ' + info.state}"
    )
    print_matrix(client.matrix(info.partition_set, limit=MATRIX_SHOWN))
