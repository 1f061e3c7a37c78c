"""Commands in this process, against an API on the loopback address."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from backfill.cli import main


class Printed(NamedTuple):
    """What a command printed, and its exit status."""

    out: str
    err: str
    status: int


Run = Callable[..., Printed]


def command_line(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *first: str
) -> Run:
    """Return what runs a command, given as words, against the API at a URL.

    Args:
        first: Words that every command begins with.
    """

    def run(*words: str) -> Printed:
        monkeypatch.setattr(sys, "argv", ["backfill", "--url", url, *first, *words])
        capsys.readouterr()
        status = 0
        try:
            main()
        except SystemExit as exit_:
            status = int(exit_.code or 0)
        out, err = capsys.readouterr()
        return Printed(out, err, status)

    return run
