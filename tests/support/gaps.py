"""What this machine cannot test: left out of the run, and said loudly at its end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

GAPS = pytest.StashKey[list[str]]()


def leave_out(
    config: pytest.Config,
    items: list[pytest.Item],
    which: Callable[[pytest.Item], bool],
    *,
    what: str,
    package: str,
) -> None:
    """Leave tests out of the run, for this machine does not have what they need.

    Args:
        what: The tests, as `tests of the web app`.
        package: What to install to run them.
    """
    left_out = [item for item in items if which(item)]
    if not left_out:
        return
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not which(item)]
    gap = f"{len(left_out)} {what} were left out. Install the package {package} to run them."
    config.stash.setdefault(GAPS, []).append(gap)


def tell_gaps(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests this machine cannot run."""
    if gaps := terminalreporter.config.stash.get(GAPS, []):
        terminalreporter.section("GAP", sep="!", red=True)
        for gap in gaps:
            terminalreporter.write_line(gap)
