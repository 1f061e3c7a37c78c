"""`python -m backfill.coordinator`: the coordinator as a process of its own."""

from __future__ import annotations

import signal

from backfill.coordinator.loop import Coordinator
from backfill.definitions.process import DefinitionsProcess
from backfill.lifecycle.dynamic import stored_keys
from backfill.settings import get_settings
from backfill.storage.database import QUEUEING, Database
from backfill.telemetry import announce_ready, configure_logging


def main() -> None:
    """Run a coordinator until SIGTERM or SIGINT."""
    configure_logging()
    settings = get_settings()
    # What a database crash forgets of the coordinator's commits, the next turn does again.
    db = Database(settings.effective_database_url(), relaxed=True, tuning=QUEUEING)
    db.require_schema()
    definitions = DefinitionsProcess(
        settings.definition_sources(),
        call_seconds=settings.call_seconds,
        reload=settings.reload,
        dynamic_keys=stored_keys(db),
    )
    coordinator = Coordinator(db, definitions, settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: coordinator.stop())
    announce_ready(settings.ready_file)
    try:
        coordinator.run()
    finally:
        definitions.close()


if __name__ == "__main__":
    main()
