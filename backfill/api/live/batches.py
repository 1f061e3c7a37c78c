"""Batches: what moved in a stretch of the feed, and the part of it a client asked for."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from backfill.api.live.directory import Directory
from backfill.storage.queries.feed import FeedRow, Place

Run = tuple[int, str, int, int | None, str | None, str | None]
"""Id, state, attempt, backfill id, set name and partition of a run that moved."""


@dataclass(frozen=True)
class Wanted:
    """Which moves a client asked for; all of what is set must match."""

    backfill_id: int | None = None
    run_id: int | None = None
    partition_set: str | None = None

    @property
    def everything(self) -> bool:
        return self == Wanted()

    def covers(self, backfill_id: int | None, run_id: int | None, name: str | None) -> bool:
        """Say whether a move of a run, or of a whole backfill (run_id None), is asked for."""
        return (
            (self.backfill_id is None or self.backfill_id == backfill_id)
            and (self.run_id is None or self.run_id == run_id)
            and (self.partition_set is None or self.partition_set == name)
        )


@dataclass
class Batch:
    """Some consecutive feed rows as one event.

    Attributes:
        place: Of its last row: where a client goes on.
        backfills: (id, set name, state or None, change of counts).
        steps: (run id, step, state).
        more: Moves were too many to be told one by one.
    """

    place: Place
    at: int
    backfills: list[tuple[int, str | None, str | None, dict[str, int]]] = field(
        default_factory=list
    )
    runs: list[Run] = field(default_factory=list)
    steps: list[tuple[int, str, str]] = field(default_factory=list)
    logs: list[int] = field(default_factory=list)
    more: bool = False
    _all: bytes | None = None

    def event(self, wanted: Wanted, directory: Directory) -> bytes | None:
        """Return the server-sent event for a client, or None when nothing concerns it."""
        if not wanted.everything:
            return self._encoded(wanted, directory)
        if self._all is None:
            self._all = self._encoded(wanted, directory) or b""
        return self._all or None

    def _encoded(self, wanted: Wanted, directory: Directory) -> bytes | None:
        """Return the event as text, put together by hand: it is most of what the API does."""

        def concerns(run_id: int) -> bool:
            place = directory.run(run_id)
            return wanted.covers(place.backfill_id, run_id, directory.name(place.set_id))

        backfills = [
            {"id": str(b), "partition_set": name, "state": state, "counts": counts}
            for b, name, state, counts in self.backfills
            if wanted.covers(b, None, name)
        ]
        runs, steps, logs = self.runs, self.steps, self.logs
        if not wanted.everything:
            runs = [run for run in runs if wanted.covers(run[3], run[0], run[4])]
            steps = [step for step in steps if concerns(step[0])]
            logs = [run for run in logs if concerns(run)]
        if not (backfills or runs or steps or logs or self.more):
            return None
        text = (
            f'{{"at":"{_iso(self.at)}","backfills":{_json(backfills)},'
            f'"runs":[{",".join(map(_run, runs))}],"steps":[{",".join(_steps(steps, directory))}],'
            f'"logs":{_json([str(run) for run in logs])},"more":{_json(self.more)}}}'
        )
        return _event("moves", self.place, text)


def batch_of(rows: Sequence[FeedRow], directory: Directory) -> Batch:
    """Put consecutive rows together; the directory has learned them."""
    batch = Batch(rows[-1].place, rows[-1].at)
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    states: dict[int, str] = {}
    logs: dict[int, None] = {}
    for row in rows:
        body = row.body
        for backfill_id, moved in body.get("counts", {}).items():
            counts[int(backfill_id)].update(moved)
            batch.more |= "runs" not in body and min(moved.values(), default=0) < 0
        states.update({b: state for b, state in body.get("backfills", ())})
        for run, state, attempt, backfill, set_id, partition in body.get("runs", ()):
            batch.runs.append((run, state, attempt, backfill, directory.name(set_id), partition))
        batch.steps += [(run, step, state) for run, step, state in body.get("steps", ())]
        logs.update(dict.fromkeys(body.get("logs", ())))
    batch.logs = list(logs)
    for backfill_id in sorted({*counts, *states}):
        change = {state: n for state, n in counts[backfill_id].items() if n}
        batch.backfills.append(
            (backfill_id, directory.set_of(backfill_id), states.get(backfill_id), change)
        )
    return batch


def encode(name: str, place: Place, data: object) -> bytes:
    """Return one server-sent event."""
    return _event(name, place, _json(data))


def _event(name: str, place: Place, text: str) -> bytes:
    return f"id: {place.xid}-{place.id}\nevent: {name}\ndata: {text}\n\n".encode()


def _run(moved: Run) -> str:
    run, state, attempt, backfill, name, partition = moved
    return (
        f'{{"id":"{run}","state":{_quoted(state)},"attempt":{attempt},'
        f'"backfill_id":{_id(backfill)},"partition_set":{_quoted(name)},'
        f'"partition":{_quoted(partition)}}}'
    )


def _steps(steps: Sequence[tuple[int, str, str]], directory: Directory) -> Iterator[str]:
    """Yield each step's move; the steps of a run come together and share its place."""
    known, tail = None, ""
    for run, step, state in steps:
        if run != known:
            known, place = run, directory.run(run)
            tail = (
                f'"backfill_id":{_id(place.backfill_id)},'
                f'"partition_set":{_quoted(directory.name(place.set_id))},'
                f'"partition":{_quoted(place.partition)}}}'
            )
        yield f'{{"run_id":"{run}","step":{_quoted(step)},"state":{_quoted(state)},{tail}'


def _id(number: int | None) -> str:
    return "null" if number is None else f'"{number}"'


@lru_cache(maxsize=4096)
def _quoted(text: str | None) -> str:
    return json.dumps(text)


def _json(data: object) -> str:
    return json.dumps(data, separators=(",", ":"))


def _iso(microseconds: int) -> str:
    at = datetime.fromtimestamp(microseconds / 1e6, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
