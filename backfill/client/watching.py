"""Showing how backfills go: live bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from backfill.client.handles import BackfillHandle, pause
from backfill.schemas.backfills import Backfill
from backfill.states import BACKFILL_FINAL, BackfillState

LINE_EVERY_SECONDS = 10.0
LINE_EVERY_SHARE = 0.1
STATE_STYLES = {
    BackfillState.SUCCEEDED: "green",
    BackfillState.FAILED: "red",
    BackfillState.CANCELED: "yellow",
    BackfillState.CANCELING: "yellow",
    BackfillState.PAUSED: "yellow",
    BackfillState.RUNNING: "blue",
    BackfillState.REQUESTED: "dim",
}


def watch(
    handles: Sequence[BackfillHandle],
    *,
    console: Console | None = None,
    timeout_seconds: float | None = None,
) -> None:
    """Show how backfills go until all are final.

    Raises:
        WaitTimeout: One goes on after the time given.
    """
    console = console or Console(stderr=True)
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    if console.is_terminal:
        with _bars(console) as progress:
            tasks = [progress.add_task("", backfill=h.info, told="") for h in handles]

            def show() -> None:
                for task, handle in zip(tasks, handles, strict=True):
                    _update(progress, task, handle.info)

            _until_ended(handles, show, deadline)
        return
    lines = [_Lines(console) for _ in handles]

    def tell() -> None:
        for line, handle in zip(lines, handles, strict=True):
            line.tell(handle.info)

    _until_ended(handles, tell, deadline)


def summary(backfill: Backfill) -> str:
    """Return one line that says how a backfill stands."""
    parts = [f"{backfill.progress.finished} of {backfill.progress.of}"]
    counts = backfill.counts
    told = ("running", "failed", "canceled", "skipped")
    parts += [f"{number} {name}" for name in told if (number := getattr(counts, name))]
    if rate := backfill.progress.runs_per_second:
        parts.append(f"{rate:.3g}/s")
    left = backfill.progress.seconds_left
    if left:
        parts.append(f"about {duration(left)} left{_range(backfill)}")
    return ", ".join(parts)


def _range(backfill: Backfill) -> str:
    """Return ` (40s to 2m 05s)`, or nothing where both ends read the same."""
    told = backfill.progress.forecast
    if told is None or told.low_seconds is None or told.high_seconds is None:
        return ""
    low, high = duration(told.low_seconds), duration(told.high_seconds)
    return "" if low == high else f" ({low} to {high})"


def duration(seconds: float) -> str:
    """Return a length of time as people say it: `0.4s`, `42s`, `3m 05s`, `2h 10m`, `3d 4h`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h {whole % 3600 // 60:02}m"
    return f"{whole // 86_400}d {whole % 86_400 // 3600}h"


def _until_ended(
    handles: Sequence[BackfillHandle], show: Callable[[], None], deadline: float | None
) -> None:
    show()
    while open_ones := [handle for handle in handles if not handle.ended]:
        pause(deadline, f"Backfill {open_ones[0].id} is {open_ones[0].info.state}")
        for handle in open_ones:
            handle.refresh()
        show()
    for handle in handles:
        handle.await_counts()
    show()


def _bars(console: Console) -> Progress:
    return Progress(
        _StateColumn(Column(no_wrap=True)),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[told]}", table_column=Column(no_wrap=True)),
        console=console,
        expand=True,
    )


def _update(progress: Progress, task: int, backfill: Backfill) -> None:
    progress.update(
        progress.task_ids[task],
        total=max(backfill.progress.of, 1),
        completed=backfill.progress.finished,
        backfill=backfill,
        told=summary(backfill),
    )


class _StateColumn(ProgressColumn):
    """The backfill's id, set and state."""

    def render(self, task: Task) -> Text:
        backfill: Backfill = task.fields["backfill"]
        style = STATE_STYLES.get(backfill.state, "")
        return Text.assemble(
            f"{backfill.id} ", (backfill.partition_set, "bold"), " ", (str(backfill.state), style)
        )


class _Lines:
    """One backfill told in lines: when its state changes, every tenth, and every ten seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: tuple[BackfillState, int] | None = None
        self._told_at = 0.0

    def tell(self, backfill: Backfill) -> None:
        """Print a line if there is something new to say."""
        stage = (backfill.state, int(backfill.progress.fraction / LINE_EVERY_SHARE))
        now = time.monotonic()
        quiet = backfill.state in BACKFILL_FINAL or now - self._told_at < LINE_EVERY_SECONDS
        if stage == self._told and quiet:
            return
        self._told, self._told_at = stage, now
        self._console.print(
            f"backfill {backfill.id} ({backfill.partition_set}) {backfill.state}: "
            f"{summary(backfill)}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
