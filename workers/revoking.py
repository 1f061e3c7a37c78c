"""Revoking a message, in Flower or with Celery's own commands, cancels the runs it carried.

Celery itself only notes the id, and discards the message when it comes up, or kills the process
that executes it. The database must know first, or the runs would be sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from celery.worker.control import Panel
from sqlalchemy.exc import SQLAlchemyError

from backfill.errors import BackfillError
from backfill.lifecycle.runs import cancel_message
from backfill.settings import Settings
from backfill.storage.database import Database

log = structlog.get_logger(__name__)

COMMANDS = ("revoke", "terminate")
REASON = "its message was revoked in Flower or Celery"


def hear_of_revokes(settings: Settings) -> None:
    """Cancel runs whenever this worker is told to revoke a message."""
    for name in COMMANDS:
        Panel.data[name] = _canceling(Panel.data[name], settings)


def cancel_revoked(settings: Settings, message_ids: list[str]) -> None:
    """Cancel what is not finished of the runs that some messages carried."""
    db = Database(settings.effective_database_url(), pool_size=1, forking=True)
    try:
        for message_id in message_ids:
            count = cancel_message(db, message_id, reason=REASON)
            log.info("message.revoked", message=message_id, runs=count)
    except (BackfillError, SQLAlchemyError) as error:
        log.error("message.revoke_failed", messages=message_ids[:20], error=str(error)[:200])
    finally:
        db.dispose()


def _canceling(command: Callable[..., Any], settings: Settings) -> Callable[..., Any]:
    def cancel_first(state: Any, *args: Any, **kwargs: Any) -> Any:
        given = kwargs.get("task_id") or ()
        cancel_revoked(settings, [given] if isinstance(given, str) else [str(i) for i in given])
        return command(state, *args, **kwargs)

    return cancel_first
