"""What a worker and its pool children need of the operating system."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

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


def yield_session(niceness: int) -> None:
    """Have all processes of this one's session yield to other sessions, where it has one alone.

    Linux shares a core among sessions first and then within each, so that by itself the niceness of
    a process counts only beside its own session's (autogroups, sched(7)). Services and what they
    are started by have sessions of their own; a shell's is left as it is. Where the processes are
    grouped otherwise, as in containers, nothing comes of it.
    """
    leader = os.getsid(0)
    if leader == os.getpid() or not Path(f"/proc/{leader}").exists():
        with suppress(OSError):  # no such thing here
            Path("/proc/self/autogroup").write_text(str(niceness))


def told_to_leave() -> bool:
    """Tell whether this pool child was sent SIGTERM: by its parent, by Celery or by the system.

    The pool's handler raises SystemExit, which a step may have swallowed; this stays true.
    """
    return bool(_should_have_exited[0])
