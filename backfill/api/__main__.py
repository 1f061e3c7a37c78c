"""`python -m backfill.api`: the API as a process of its own."""

from __future__ import annotations

import sys

import uvicorn

from backfill.api.app import create_app
from backfill.api.guarding import is_loopback
from backfill.definitions.process import DefinitionsProcess
from backfill.errors import BackfillError, Invalid
from backfill.settings import Settings, get_settings
from backfill.storage.database import Database
from backfill.telemetry import configure_logging

POOL_SIZE = 20
GRACE_SECONDS = 5


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
    require_safe_address(settings)
    db = Database(settings.effective_database_url(), pool_size=POOL_SIZE)
    db.require_schema()
    with DefinitionsProcess(
        settings.definition_sources(), call_seconds=settings.call_seconds, reload=settings.reload
    ) as definitions:
        uvicorn.run(
            create_app(settings, db, definitions),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )


def require_safe_address(settings: Settings) -> None:
    """Raise Invalid for an address that others can reach while nobody has to log in."""
    if not is_loopback(settings.host):
        raise Invalid(
            f"BACKFILL_HOST={settings.host} can be reached from elsewhere, and this API asks "
            "nobody to log in. Bind it to 127.0.0.1."
        )


if __name__ == "__main__":
    main()
