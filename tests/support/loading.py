"""Definitions given as text, loaded from a file and forgotten again."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backfill.definitions.in_process import LocalDefinitions
from backfill.definitions.partitions import DynamicKeys
from backfill.definitions.registry import Registry

_numbers = itertools.count(1)


@contextmanager
def loaded(
    source: str, folder: Path, *, dynamic_keys: DynamicKeys | None = None
) -> Iterator[LocalDefinitions]:
    """Write the text to a file of its own name and load it."""
    file = folder / f"definitions_{next(_numbers)}.py"
    file.write_text(source)
    before = set(sys.modules)
    try:
        yield LocalDefinitions(Registry.load(str(file)), dynamic_keys=dynamic_keys)
    finally:
        for name in set(sys.modules) - before:
            if getattr(sys.modules[name], "__file__", None) == str(file):
                del sys.modules[name]
