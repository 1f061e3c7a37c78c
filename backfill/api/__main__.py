"""`python -m backfill.api`: the API as a process of its own."""

from __future__ import annotations

import gc
import signal
import socket
import sys

import structlog
import uvicorn

from backfill.api.app import create_app
from backfill.api.door import Door
from backfill.api.live.hub import Hub
from backfill.definitions.process import DefinitionsProcess
from backfill.errors import BackfillError
from backfill.lifecycle.dynamic import stored_keys
from backfill.settings import Settings, get_settings
from backfill.storage.database import Database
from backfill.telemetry import configure_logging

log = structlog.get_logger(__name__)

POOL_SIZE = 20
GRACE_SECONDS = 5
SWITCH_SECONDS = 0.001  # how long a thread may make another one wait
COLLECTED_FROM = 10_000  # new objects: a page of the matrix makes some thousands


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    configure_logging()
    try:
        serve(get_settings())
    except BackfillError as error:
        sys.exit(error.detail)


def serve(settings: Settings) -> None:
    """Serve the API on the settings' address.

    Raises:
        Invalid: The address can be reached from elsewhere and nobody has to log in.
        Unavailable: The database is not at this code's schema.
    """
    db = Database(settings.effective_database_url(), pool_size=POOL_SIZE)
    db.require_schema()
    Door(settings, db).require_safe()
    with DefinitionsProcess(
        settings.definition_sources(),
        call_seconds=settings.call_seconds,
        reload=settings.reload,
        dynamic_keys=stored_keys(db),
    ) as definitions:
        app = create_app(settings, db, definitions)
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        # What uvicorn calls again after its own orderly end: nothing is left to do then.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        _tune()
        log.info("api.serving", url=f"http://{settings.host}:{settings.port}")
        Server(config, app.state.context.hub).run()
        log.info("api.stopped")
    db.dispose()


def _tune() -> None:
    """Keep requests from waiting for the thread that makes live events, and for the collector.

    Whatever is there after the start stays, so the collector need not look at it again and again.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED_FROM, 10, 10)


class Server(uvicorn.Server):
    """Ends the live streams when it stops: it would wait for them otherwise."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hub.end()
        await super().shutdown(sockets)


if __name__ == "__main__":
    main()
