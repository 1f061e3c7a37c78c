"""Start a program that cannot outlive its parent.

A parent-death signal is not inherited, so every child needs its own. This file is both the module
that builds the command line and the script that command line runs first: it gives up root if it
was told to, arms the leash, and becomes the program.

On Linux the kernel holds the leash (`PR_SET_PDEATHSIG`), which fires when the *thread* that
started the child ends. Elsewhere a small process stays between and watches a pipe whose other end
only the parent holds.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

PR_SET_PDEATHSIG = 1
KERNEL_LEASH = sys.platform == "linux"
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1)
PARENT_IS_GONE = 127
GUARD_POLL_SECONDS = 0.2
GUARD_GRACE_SECONDS = 5.0


class Account(NamedTuple):
    """A user and group of this machine, by number."""

    uid: int
    gid: int


@dataclass
class Leashed:
    """A running program with a process group of its own.

    Attributes:
        popen: The process; its pid is also the id of its process group.
        lifeline: Our end of the pipe where the kernel holds no leash, else None.
        exit_fd: Readable once the program has ended, where the kernel offers that.
    """

    popen: subprocess.Popen[bytes]
    lifeline: int | None = field(default=None, repr=False)
    exit_fd: int | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self.exit_fd = os.pidfd_open(self.popen.pid)

    @property
    def pid(self) -> int:
        return self.popen.pid

    def exit_code(self) -> int | None:
        """Return how the program ended (-9 for SIGKILL), or None while it runs.

        What is left of its process group is killed before its pid can be used again.
        """
        if self.popen.returncode is None and self._has_exited():
            self.kill()
            self.popen.wait()
            self._let_go()
        return self.popen.returncode

    def send(self, number: int) -> None:
        """Send a signal to the program alone, not to its children."""
        if self.popen.returncode is None:
            self.popen.send_signal(number)

    def kill(self) -> None:
        """Kill the program and everything in its process group."""
        if self.popen.returncode is not None:
            return
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self.popen.kill()

    def stop(self, *, number: int = signal.SIGTERM, grace_seconds: float = 10.0) -> int:
        """Ask the program to stop, kill its group when it has not within the grace period."""
        self.send(number)
        deadline = time.monotonic() + grace_seconds
        while (code := self.exit_code()) is None:
            if time.monotonic() > deadline:
                self.kill()
            time.sleep(0.02)
        return code

    def _has_exited(self) -> bool:
        if not hasattr(os, "waitid"):
            return self.popen.poll() is not None
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, flags) is not None

    def _let_go(self) -> None:
        for held in (self.lifeline, self.exit_fd):
            if held is not None:
                os.close(held)
        self.lifeline = self.exit_fd = None


def start(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    output: IO[bytes] | int | None = None,
    on_parent_death: int = signal.SIGKILL,
    account: Account | None = None,
    kernel_leash: bool = KERNEL_LEASH,
) -> Leashed:
    """Start a program in its own process group, on a leash.

    Call it from a thread that lives as long as the program should.

    Args:
        output: Where stdout and stderr go; None keeps ours.
        on_parent_death: The signal the program gets when we are gone.
        account: Whom it runs as; needs root.
    """
    receiving, lifeline = (None, None) if kernel_leash else os.pipe()
    leash = [
        *(sys.executable, "-I", "-S", __file__),
        str(os.getpid()),
        str(int(on_parent_death)),
        "-" if account is None else f"{account.uid}:{account.gid}",
        "-" if receiving is None else str(receiving),
    ]
    try:
        popen = subprocess.Popen(
            [*leash, *command],
            env=None if env is None else dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            start_new_session=True,
            pass_fds=() if receiving is None else (receiving,),
        )
    except BaseException:
        if lifeline is not None:
            os.close(lifeline)
        raise
    finally:
        if receiving is not None:
            os.close(receiving)
    return Leashed(popen, lifeline)


def _main(arguments: Sequence[str]) -> None:
    import ctypes  # while we may still read our own libraries

    parent, number, account, receiving, *command = arguments
    libc = ctypes.CDLL(None, use_errno=True)
    if account != "-":
        _become(account)
    if receiving == "-":
        # after the change of account, which takes the leash off
        if libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0) != 0:
            sys.exit(f"prctl(PR_SET_PDEATHSIG) failed: {os.strerror(ctypes.get_errno())}")
        if os.getppid() != int(parent):  # it died before the leash was armed
            os._exit(PARENT_IS_GONE)
        _execute(command)
    else:
        _guard(int(receiving), int(number), command)


def _become(account: str) -> None:
    uid, gid = (int(part) for part in account.split(":"))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _execute(command: list[str]) -> None:
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"Cannot start {command[0]}: {error.strerror}.")


def _guard(receiving: int, number: int, command: list[str]) -> None:
    """Run the command as a child; when the pipe ends, our parent is gone: signal the child."""
    pid = os.fork()
    if pid == 0:
        os.close(receiving)
        _execute(command)
    for forwarded in FORWARDED:
        signal.signal(forwarded, lambda received, _: os.kill(pid, received))
    while not select.select([receiving], [], [], GUARD_POLL_SECONDS)[0]:
        _exit_with(pid)
    os.kill(pid, number)
    deadline = time.monotonic() + GUARD_GRACE_SECONDS
    while time.monotonic() < deadline:
        _exit_with(pid)
        time.sleep(GUARD_POLL_SECONDS)
    os.killpg(0, signal.SIGKILL)


def _exit_with(pid: int) -> None:
    """End as the child ended, once it has."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    if not ended:
        return
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        with contextlib.suppress(OSError):  # SIGKILL has no handler to take away
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    _main(sys.argv[1:])
