"""Commands that run or look after the services: api, coordinator, workers, db upgrade."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from backfill.cli.connecting import connection
from backfill.cli.options import AsJson, Files, Modules, definitions_of
from backfill.cli.output import ago, print_json, print_table, say, state

if TYPE_CHECKING:
    from backfill.schemas.fleet import Lag

PANEL = "Services"
LATE_SECONDS = 10.0


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for name, command in (
        ("api", api),
        ("coordinator", coordinator),
        ("workers", workers),
        ("doctor", doctor),
    ):
        app.command(name, rich_help_panel=PANEL)(command)
    database = typer.Typer(help="Look after the database.", no_args_is_help=True)
    database.command("upgrade")(upgrade)
    app.add_typer(database, name="db", rich_help_panel=PANEL)


def api(
    modules: Modules = None,
    files: Files = None,
    host: Annotated[str | None, typer.Option(help="Address to bind to.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to bind to.")] = None,
) -> None:
    """Serve the REST API."""
    _use(definitions=definitions_of(modules, files), host=host, port=port)
    from backfill.api.__main__ import serve
    from backfill.settings import get_settings
    from backfill.telemetry import configure_logging

    configure_logging()
    serve(get_settings())


def coordinator(modules: Modules = None, files: Files = None) -> None:
    """Run a coordinator: it feeds runs to the workers. Two or more make a standby."""
    _use(definitions=definitions_of(modules, files))
    from backfill.coordinator.__main__ import main

    main()


def workers(as_json: AsJson = False) -> None:
    """List the workers, the queues and the coordinator."""
    told = connection.client().fleet()
    if as_json:
        print_json(told)
        return
    if not told.workers:
        say("No workers. Start one: celery -A workers worker")
    else:
        print_table(
            ("WORKER", "STATE", "SLOTS", "BUSY", "QUEUES", "CODE", "SEEN"),
            [
                (
                    w.name,
                    state("running" if w.alive else "lost" if w.stopped_at is None else "stopped"),
                    w.slots,
                    w.running,
                    ", ".join(w.queues),
                    w.load_error or w.code_version,
                    ago(w.beat_at),
                )
                for w in told.workers
            ],
            keep="WORKER",
        )
    for queue in told.queues:
        depth = "" if queue.depth is None else f", {queue.depth} messages in the broker"
        say(f"queue {queue.name}: {queue.queued} runs queued, {queue.slots} slots{depth}")
    leader = told.coordinator
    if leader is None or not leader.leading:
        say("No coordinator leads. Start one: backfill coordinator")
    else:
        say(f"coordinator {leader.holder} leads, seen {ago(leader.beat_at)}{_late(leader.lag)}")


def _late(lag: Lag) -> str:
    """Say what is so late that somebody should look, or nothing."""
    from backfill.client.watching import duration

    late = {
        name: seconds
        for name in ("expanding", "publishing", "reaping", "counting")
        if (seconds := getattr(lag, name)) >= LATE_SECONDS
    }
    return "".join(f"; {name} is {duration(seconds)} late" for name, seconds in late.items())


def doctor(as_json: AsJson = False) -> None:
    """Check the database against the rules of the house; exit status 1 if one is broken."""
    from dataclasses import asdict

    from backfill.lifecycle.doctor import check
    from backfill.settings import get_settings
    from backfill.storage.database import Database

    database = Database(get_settings().effective_database_url())
    try:
        database.require_schema()
        findings = check(database)
    finally:
        database.dispose()
    if as_json:
        print_json([asdict(finding) for finding in findings])
    elif not findings:
        say("Every rule holds.")
    else:
        rows = [(f.rule, f.backfill_id, f.run_id, f.detail) for f in findings]
        print_table(("RULE", "BACKFILL", "RUN", "FOUND"), rows, keep="RULE")
    if findings:
        raise typer.Exit(1)


def upgrade() -> None:
    """Bring the database to this version's schema."""
    from backfill.settings import get_settings
    from backfill.storage.database import Database

    database = Database(get_settings().effective_database_url())
    try:
        database.migrate()
    finally:
        database.dispose()
    say(f"{database.safe_url} is at the newest schema.")


def _use(**given: object) -> None:
    """Put options where this process and its children read their settings."""
    from backfill.settings import get_settings

    for name, value in given.items():
        if value is not None:
            os.environ[f"BACKFILL_{name.upper()}"] = str(value)
    get_settings.cache_clear()
