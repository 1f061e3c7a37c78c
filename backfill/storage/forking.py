"""Keep a process from forking while another of its threads uses the database.

SQLite keeps its locks in the memory of the process. A child forked while a connection is open
inherits locks that nobody will ever give back, and waits for them with the file lock in its hand.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_guard = threading.RLock()

os.register_at_fork(
    before=_guard.acquire, after_in_parent=_guard.release, after_in_child=_guard.release
)


@contextmanager
def not_forking() -> Iterator[None]:
    """Have other threads that want to fork wait until the end of the block."""
    with _guard:
        yield
