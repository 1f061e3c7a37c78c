"""What a pool child needs of the operating system."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from billiard.common import _should_have_exited

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies (Linux; elsewhere nothing)."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel knew
        os._exit(1)


def told_to_leave() -> bool:
    """Tell whether this pool child was sent SIGTERM: by its parent, by Celery or by the system.

    The pool's handler raises SystemExit, which a step may have swallowed; this stays true.
    """
    return bool(_should_have_exited[0])
