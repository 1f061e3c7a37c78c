"""Files by which steps tell a test what they do, and a test tells steps to go on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.waiting import is_alive, wait_until

STEP_SECONDS = 100.0  # no step waits longer for a test that has died


@dataclass(frozen=True)
class Mark:
    """Somebody was here: a step of an attempt of a run, in a process."""

    run_id: int
    attempt: int
    pid: int


class Marks:
    """The marks of one home folder, by name: `wait-begun.p1`."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "marks"
        self._folder.mkdir(parents=True, exist_ok=True)

    @classmethod
    def of_this_process(cls) -> Marks:
        """Return the marks of the stack this process belongs to."""
        return cls(Path(os.environ["BACKFILL_HOME"]))

    # -- what steps do --------------------------------------------------------------------------

    def make(self, context: Any, what: str) -> None:
        """Mark that a step of this partition was here."""
        name = f"{what}.{context.backfill_id}.{context.partition_key}"
        line = f"{context.run_id} {context.attempt} {os.getpid()}\n"
        with (self._folder / name).open("a") as file:
            file.write(line)

    def wait_allowed(self, context: Any, *, listening: bool) -> bool:
        """Return True once a test lets this partition go on.

        Args:
            listening: Use the context meanwhile, so that a cancel is heard.
        """
        names = self._permits(context.backfill_id, context.partition_key)

        def allowed() -> bool:
            return bool(listening and not context.run_id) or any(n.exists() for n in names)

        return wait_until(allowed, "a permit", STEP_SECONDS)

    def allowed(self, context: Any) -> bool:
        """Return whether a test lets this partition go on."""
        names = self._permits(context.backfill_id, context.partition_key)
        return any(name.exists() for name in names)

    # -- what tests do --------------------------------------------------------------------------

    def of(self, what: str, backfill: int, partition: str) -> list[Mark]:
        """Return the marks that steps of a partition have made, oldest first."""
        file = self._folder / f"{what}.{backfill}.{partition}"
        lines = file.read_text().splitlines() if file.exists() else []
        return [Mark(*map(int, line.split())) for line in lines]

    def wait(self, what: str, backfill: int, partition: str, times: int = 1) -> Mark:
        """Wait until a mark was made so many times; return the newest."""
        wait_until(
            lambda: len(self.of(what, backfill, partition)) >= times,
            f'"{what}" of backfill {backfill}, partition {partition}, {times} times',
            60,
        )
        return self.of(what, backfill, partition)[times - 1]

    def allow(self, backfill: int, partition: str = "*") -> None:
        """Let the steps of a partition (`*`: of all) go on."""
        self._permits(backfill, partition)[0].touch()

    def _permits(self, backfill: int, partition: str) -> list[Path]:
        return [self._folder / f"allowed.{backfill}.{name}" for name in (partition, "*")]


def ended(mark: Mark) -> bool:
    """Tell whether the process that made a mark is gone."""
    return not is_alive(mark.pid)
