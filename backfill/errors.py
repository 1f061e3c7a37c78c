"""One error tree: status, code, message; the same words in API, client, CLI and app."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, ClassVar


class BackfillError(Exception):
    """An error a person can act on: which one, why, what now.

    Attributes:
        status: The HTTP status the API answers with.
        code: A stable machine-readable name.
        facts: Extra fields of the problem document, JSON-able.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "error"

    def __init__(self, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts


class NotFound(BackfillError):
    """The named thing does not exist."""

    status = 404
    code = "not_found"


class Invalid(BackfillError):
    """The request makes no sense as it is."""

    status = 422
    code = "invalid"


class DefinitionError(Invalid):
    """A pipeline, step, partition set or schedule is defined wrongly; names the place."""

    code = "definition_invalid"


class DefinitionsUnavailable(BackfillError):
    """The user's code could not be loaded or did not answer; carries its own traceback."""

    status = 503
    code = "definitions_unavailable"


class UserCodeStuck(DefinitionsUnavailable):
    """A function of the user's definitions hung or ended its process; it was stopped."""

    code = "user_code_stuck"


class UserCodeError(Invalid):
    """A function of the user's definitions raised or returned something wrong."""

    code = "user_code_failed"


class ConfigInvalid(Invalid):
    """A run config does not fit the pipeline's schemas.

    `facts["errors"]` lists every error: path, value, expected, sample.
    """

    code = "config_invalid"


class SelectionInvalid(Invalid):
    """A selection cannot be parsed, or names unknown partitions, or is empty."""

    code = "selection_invalid"


class NothingToRun(SelectionInvalid):
    """All that was selected is left out, by how the request reprocesses; `facts` count why."""

    code = "nothing_to_run"


class Conflict(BackfillError):
    """The thing is not in a state that allows this."""

    status = 409
    code = "conflict"


class Unauthorized(BackfillError):
    """No or a wrong token."""

    status = 401
    code = "unauthorized"


class Forbidden(BackfillError):
    """The token's role does not allow this."""

    status = 403
    code = "forbidden"


class Unavailable(BackfillError):
    """A part the answer needs (database, broker, API) cannot be reached now."""

    status = 503
    code = "unavailable"


class StaleAttempt(BackfillError):
    """The run has moved on: this worker lost its lease and must drop its result."""

    status = 409
    code = "stale_attempt"


def no_backfill(backfill_id: int) -> NotFound:
    """Return what is said when there is no backfill of this id."""
    return NotFound(f"No backfill {backfill_id}. `backfill list` shows those there are.")


def no_run(run_id: int) -> NotFound:
    """Return what is said when there is no run of this id."""
    return NotFound(f"No run {run_id}. `backfill runs` shows those there are.")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ` Did you mean "x" or "y"?` for the nearest known names, or an empty string."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    if not near:
        return ""
    return " Did you mean " + " or ".join(f'"{n}"' for n in near) + "?"
