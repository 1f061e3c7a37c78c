"""The selection language: one way to say which partitions, for API, CLI, app and Python."""

from backfill.definitions.selection.evaluate import (
    DEFAULT_LIMIT,
    evaluate,
    selected_keys,
    status_words,
)
from backfill.definitions.selection.index_set import IndexSet
from backfill.definitions.selection.listing import as_listed
from backfill.definitions.selection.parser import parse
from backfill.definitions.selection.spelling import from_parts, key_list
from backfill.definitions.selection.syntax import Selection

__all__ = [
    "DEFAULT_LIMIT",
    "IndexSet",
    "Selection",
    "as_listed",
    "evaluate",
    "from_parts",
    "key_list",
    "parse",
    "selected_keys",
    "status_words",
]
