"""Handles: a backfill or a run with its verbs, and waiting for its end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from backfill.client.requests import new_key
from backfill.client.transport import Transport
from backfill.errors import Unavailable
from backfill.schemas.backfills import Backfill, Submitted
from backfill.schemas.editing import BackfillEdited, PartitionsAdded, PartitionsRemoved
from backfill.schemas.guards import Failures
from backfill.schemas.partitions import Drift, Retargeted
from backfill.schemas.reexecution import Lineage
from backfill.schemas.runs import LogLine, LogPage, Run
from backfill.states import BACKFILL_FINAL, RUN_FINAL

POLL_SECONDS = 0.5
LOG_PAGE = 1_000
COUNTS_TRIES = 10


class WaitTimeout(Unavailable):
    """It did not end within the time given; it goes on."""

    code = "wait_timeout"


class BackfillHandle:
    """A backfill; `info` is how it stood when it was last asked for."""

    def __init__(self, transport: Transport, info: Backfill) -> None:
        self._transport = transport
        self.info = info

    @property
    def id(self) -> str:
        """Its id."""
        return self.info.id

    @property
    def ended(self) -> bool:
        """Whether it was final when last asked for."""
        return self.info.state in BACKFILL_FINAL

    def refresh(self) -> Backfill:
        """Ask how it stands now."""
        return self._keep(self._transport.send("GET", f"/backfills/{self.id}"))

    def pause(self, note: str | None = None) -> Backfill:
        """Stop admitting its runs and recall the queued ones."""
        return self._verb("pause", note)

    def resume(self, note: str | None = None) -> Backfill:
        """Let it go on."""
        return self._verb("resume", note)

    def cancel(self, note: str | None = None) -> Backfill:
        """Give it up."""
        return self._verb("cancel", note)

    def skip(self, partition: str, note: str | None = None) -> Backfill:
        """Let its line, in which each partition depends on the one before, go on without one."""
        body = {"partition": partition, "note": note}
        return self._keep(self._transport.send("POST", f"/backfills/{self.id}/skip", body=body))

    def retry(
        self,
        *,
        statuses: Sequence[str] | None = None,
        mode: str = "from_failure",
        steps: Sequence[str] | None = None,
        from_step: str | None = None,
        note: str | None = None,
    ) -> Backfill:
        """Try what did not succeed again, within it.

        Args:
            statuses: `failed`, `canceled`, `missing` (never launched); all three when None.
            mode: `from_failure` or `all`; steps are chosen by naming them.
            steps: A step selection, such as `["load*"]`.
            from_step: This step and everything downstream of it.
        """
        body = {**again(mode, steps, from_step), "statuses": statuses, "note": note}
        return self._keep(self._transport.send("POST", f"/backfills/{self.id}/retry", body=body))

    def edit(self, **changes: Any) -> BackfillEdited:
        """Change fields of it while it runs, such as `max_active_runs=4`; None empties a field."""
        told = self._transport.send("PATCH", f"/backfills/{self.id}", body=changes)
        edited = BackfillEdited.model_validate(told)
        self.info = edited
        return edited

    def add(
        self, selection: str, *, reprocess: str | None = None, note: str | None = None
    ) -> PartitionsAdded:
        """Give it further partitions; when it is over it goes on."""
        body = {"selection": selection, "reprocess": reprocess, "note": note}
        told = self._transport.send("POST", f"/backfills/{self.id}/partitions/add", body=body)
        return PartitionsAdded.model_validate(told)

    def remove(
        self, selection: str, *, cancel_running: bool = False, note: str | None = None
    ) -> PartitionsRemoved:
        """Take partitions out of it: what has not begun is skipped.

        Args:
            cancel_running: Runs that have begun are told to stop, too.
        """
        body = {"selection": selection, "cancel_running": cancel_running, "note": note}
        told = self._transport.send("POST", f"/backfills/{self.id}/partitions/remove", body=body)
        return PartitionsRemoved.model_validate(told)

    def clone(self, *, idempotency_key: str | None = None, **changes: Any) -> BackfillHandle:
        """Submit what it was made from once more, with changes to the request.

        Args:
            idempotency_key: Drawn at random when not given, so that a retried request makes one.
        """
        told = self._transport.send(
            "POST",
            f"/backfills/{self.id}/clone",
            body={"changes": changes},
            idempotency_key=idempotency_key or new_key(),
        )
        return BackfillHandle(self._transport, Submitted.model_validate(told))

    def failures(self, *, limit: int = 20) -> Failures:
        """Return its failed runs by error, the largest group first."""
        params = {"limit": limit}
        told = self._transport.send("GET", f"/backfills/{self.id}/failures", params=params)
        return Failures.model_validate(told)

    def drift(self, *, selection: str | None = None) -> Drift:
        """Say what joined and what left its set since it was submitted."""
        params = {"selection": selection}
        told = self._transport.send("GET", f"/backfills/{self.id}/drift", params=params)
        return Drift.model_validate(told)

    def retarget(self, *, selection: str | None = None) -> Retargeted:
        """Adopt what joined its set and is selected, and skip runs of what left it.

        Args:
            selection: Its selection from now on, where partitions were renamed.
        """
        body = {"selection": selection}
        told = self._transport.send("POST", f"/backfills/{self.id}/retarget", body=body)
        return Retargeted.model_validate(told)

    def wait(self, *, progress: bool = False, timeout_seconds: float | None = None) -> Backfill:
        """Wait until it is final and return it, whatever its state.

        Args:
            progress: Show a live progress bar on stderr; plain lines when it is no terminal.

        Raises:
            WaitTimeout: It goes on after the time given.
        """
        if progress:
            from backfill.client.watching import watch

            watch([self], timeout_seconds=timeout_seconds)
            return self.info
        deadline = _deadline(timeout_seconds)
        while not self.ended:
            pause(deadline, f"Backfill {self.id} is {self.info.state}")
            self.refresh()
        self.await_counts()
        return self.info

    def await_counts(self) -> None:
        """Ask again until the counts of a final backfill tell every run: they follow shortly."""
        for _ in range(COUNTS_TRIES):
            if not self.ended or self.info.progress.finished == self.info.progress.of:
                return
            time.sleep(POLL_SECONDS)
            self.refresh()

    def _verb(self, verb: str, note: str | None) -> Backfill:
        body = {"note": note}
        return self._keep(self._transport.send("POST", f"/backfills/{self.id}/{verb}", body=body))

    def _keep(self, told: Any) -> Backfill:
        self.info = Backfill.model_validate(told)
        return self.info


class RunHandle:
    """A run; `info` is how it stood when it was last asked for."""

    def __init__(self, transport: Transport, info: Run) -> None:
        self._transport = transport
        self.info = info

    @property
    def id(self) -> str:
        """Its id."""
        return self.info.id

    @property
    def ended(self) -> bool:
        """Whether it was final when last asked for."""
        return self.info.state in RUN_FINAL

    def refresh(self) -> Run:
        """Ask how it stands now."""
        return self._keep(self._transport.send("GET", f"/runs/{self.id}"))

    def cancel(self, note: str | None = None) -> Run:
        """Cancel it: at once, or as soon as its worker stops it."""
        body = {"note": note}
        return self._keep(self._transport.send("POST", f"/runs/{self.id}/cancel", body=body))

    def reexecute(
        self,
        *,
        mode: str = "from_failure",
        steps: Sequence[str] | None = None,
        from_step: str | None = None,
        note: str | None = None,
        **wanted: Any,
    ) -> RunHandle:
        """Make a new run from this one, which has ended. It is not sent twice.

        Args:
            mode: `from_failure` or `all`; steps are chosen by naming them.
            steps: A step selection, such as `["load*"]`.
            from_step: This step and everything downstream of it.
            wanted: `run_config`, `priority`, `max_failures`, `tags`.
        """
        body = {**again(mode, steps, from_step), "note": note, **wanted}
        told = self._transport.send("POST", f"/runs/{self.id}/re-execute", body=body)
        return RunHandle(self._transport, Run.model_validate(told))

    def lineage(self) -> Lineage:
        """Return what it re-executes and what re-executes it, oldest first."""
        return Lineage.model_validate(self._transport.send("GET", f"/runs/{self.id}/lineage"))

    def wait(self, *, timeout_seconds: float | None = None) -> Run:
        """Wait until it is final and return it, whatever its state.

        Raises:
            WaitTimeout: It goes on after the time given.
        """
        deadline = _deadline(timeout_seconds)
        while not self.ended:
            pause(deadline, f"Run {self.id} is {self.info.state}")
            self.refresh()
        return self.info

    def logs(self, *, follow: bool = False, step: str | None = None) -> Iterator[LogLine]:
        """Iterate over its log lines, oldest first; `follow` goes on until the run is final."""
        cursor: str | None = None
        while True:
            wanted = {"cursor": cursor, "step": step, "limit": LOG_PAGE}
            told = self._transport.send("GET", f"/runs/{self.id}/logs", params=wanted)
            page = LogPage.model_validate(told)
            yield from page.items
            cursor = page.next
            if len(page.items) == LOG_PAGE:
                continue
            if page.ended or not follow:
                return
            time.sleep(POLL_SECONDS)

    def _keep(self, told: Any) -> Run:
        self.info = Run.model_validate(told)
        return self.info


def again(mode: str, steps: Sequence[str] | None, from_step: str | None) -> dict[str, Any]:
    """Return how to do something again as a request says it."""
    return {
        "mode": "steps" if steps or from_step else str(mode),
        "steps": list(steps) if steps else None,
        "from_step": from_step,
    }


def pause(deadline: float | None, what: str) -> None:
    """Wait a moment before asking again.

    Raises:
        WaitTimeout: The deadline has passed.
    """
    if deadline is not None and time.monotonic() >= deadline:
        raise WaitTimeout(f"{what} and goes on: the time to wait for it is over.")
    time.sleep(POLL_SECONDS)


def _deadline(timeout_seconds: float | None) -> float | None:
    return None if timeout_seconds is None else time.monotonic() + timeout_seconds
