"""The gate: only what a coordinator sends gets into a worker.

Celery trusts the headers and the content type of a message as far as ending the whole worker over
one, which then goes back to the queue for the next. So every message is looked at before Celery
does, and refused for good when it is not exactly ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from backfill.coordinator.broker import TASK

MAX_RUNS = 10_000
MAX_BYTES = 400_000
_UNUSED = ("eta", "expires", "retries", "group", "stamped_headers", "stamps", "shadow")
_TEXTS = ("argsrepr", "kwargsrepr", "origin", "root_id", "parent_id")


def problem_of(message: Any) -> str | None:
    """Say what keeps a message from being one of a coordinator's; None when it is one."""
    return _problem_of_headers(message.headers) or _problem_of_content(message)


def are_run_ids(value: object) -> bool:
    """Tell whether a value is a list of run ids: integers that a database can hold."""
    return (
        isinstance(value, list)
        and len(value) <= MAX_RUNS
        and all(type(i) is int and 0 < i < 2**63 for i in value)
    )


def _problem_of_headers(headers: object) -> str | None:
    if not isinstance(headers, Mapping) or headers.get("task") != TASK:
        return f"it is not a {TASK} message"
    given = headers.get("id")
    if not isinstance(given, str) or not 0 < len(given) <= 255:
        return "it has no id"
    if used := [name for name in _UNUSED if headers.get(name)]:
        return f"it sets {', '.join(used)}"
    if headers.get("timelimit") not in (None, [None, None], (None, None)):
        return "it sets a time limit"
    if any(not isinstance(headers.get(name), str | None) for name in _TEXTS):
        return "its headers are no texts"
    return None


def _problem_of_content(message: Any) -> str | None:
    if (message.content_type, message.content_encoding) != ("application/json", "utf-8"):
        return "its content is not JSON"
    if len(message.body) > MAX_BYTES:
        return "it is too long"
    try:
        content = json.loads(message.body)
    except (ValueError, TypeError, RecursionError):
        return "its content is not JSON"
    if not isinstance(content, list) or len(content) != 3:
        return "its content is not that of a task"
    args, kwargs, embedded = content
    if args or not isinstance(kwargs, dict) or set(kwargs) != {"run_ids"}:
        return "it asks for something else than runs"
    if not are_run_ids(kwargs["run_ids"]):
        return "it carries something else than run ids"
    if not isinstance(embedded, dict) or any(embedded.values()):
        return "it asks for more tasks"
    return None
