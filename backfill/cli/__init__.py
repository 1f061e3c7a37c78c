"""`backfill`: the commands. They ask the API and format its answers; they decide nothing."""

from __future__ import annotations

import sys

from backfill.errors import BackfillError


def main() -> None:
    """Run the command line; errors are one line on stderr and exit status 1 (usage: 2)."""
    from backfill.cli.app import app
    from backfill.cli.connecting import connection

    try:
        app(prog_name="backfill")
    except BackfillError as error:
        from backfill.cli.output import tell_error

        tell_error(error)
        sys.exit(1)
    finally:
        connection.close()
