"""Logs of our own processes: an event name, then facts."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import structlog


def configure_logging(level: str | None = None) -> None:
    """Write logs to stderr as `time level event key=value`; JSON with BACKFILL_LOG_JSON=1."""
    name = (level or os.environ.get("BACKFILL_LOG_LEVEL", "info")).upper()
    as_json = os.environ.get("BACKFILL_LOG_JSON", "") not in {"", "0"}
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            pad_event_to=0,
            # the default shows the variables of every frame, secrets among them
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.format_exc_info] if as_json else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(name)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def announce_ready(ready_file: str) -> None:
    """Make the file that a supervisor waits for, if it asked for one."""
    if ready_file:
        Path(ready_file).touch()
