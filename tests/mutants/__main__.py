"""Take every guard out of a copy of the tree and see that a test notices: `make mutants`."""

from __future__ import annotations

import argparse
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from backfill.embedded.postgres import EmbeddedPostgres
from tests.mutants.guards import MUTANTS, Mutant

HERE = Path(__file__).resolve().parents[2]
COPIED = ("backfill", "workers", "tests", "pyproject.toml", "alembic.ini", "examples", "docs")
LEFT_OUT = shutil.ignore_patterns("node_modules", "__pycache__", "static", ".hypothesis")
SECONDS = 300
MACHINE = "tests/state_machine/test_state_machine.py::test_every_story_ends_well_on_sqlite"
CAUGHT, SURVIVED, GONE, BROKEN = "caught", "SURVIVED", "TEXT GONE", "NO ANSWER"


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant."""

    name: str
    how: str
    seconds: float
    told: str = ""


def main() -> None:
    """Try the mutants asked for; the exit status is 0 only if every one was caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    parser.add_argument(
        "--only", metavar="TEXT", action="append", help="those whose name holds this; repeatable"
    )
    parser.add_argument(
        "--machine", action="store_true", help="have the state machine find them, not their tests"
    )
    options = parser.parse_args()
    wanted = [m for m in MUTANTS if not options.only or any(x in m.name for x in options.only)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="backfill-mutants-")))
        if "BACKFILL_TEST_POSTGRES_URL" not in os.environ:
            server = stack.enter_context(EmbeddedPostgres(durable=False))
            os.environ["BACKFILL_TEST_POSTGRES_URL"] = server.url()
        verdicts = _judged(wanted, folder, options.jobs, machine=options.machine)
    _say("")
    for verdict in verdicts:
        _say(f"{verdict.how:<10} {verdict.seconds:6.1f} s  {verdict.name}  {verdict.told}".rstrip())
    missed = [verdict for verdict in verdicts if verdict.how != CAUGHT]
    _say(
        f"\n{len(verdicts) - len(missed)} of {len(verdicts)} guards are missed when they are gone."
    )
    sys.exit(1 if missed else 0)


def _judged(wanted: Sequence[Mutant], folder: Path, jobs: int, *, machine: bool) -> list[Verdict]:
    """Judge mutants in as many copies of the tree as there are jobs."""
    copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for number in range(jobs):
        copies.put(_copied(folder / str(number)))
    if not machine and not _is_sound(wanted, folder / "0"):
        raise SystemExit("The tests named fail without any mutant.")

    def judge(mutant: Mutant) -> Verdict:
        copy = copies.get()
        try:
            verdict = _verdict(mutant, copy, (MACHINE,) if machine else mutant.tests)
        finally:
            copies.put(copy)
        _say(f"{verdict.how:<10} {verdict.name}")
        return verdict

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(judge, wanted))


def _is_sound(wanted: Sequence[Mutant], copy: Path) -> bool:
    """Say whether the tests pass where nothing was taken out."""
    tests = sorted({test for mutant in wanted for test in mutant.tests})
    status, told = _tested(copy, tests, seconds=SECONDS * 4, first=False)
    if status != 0:
        _say(told[-3_000:])
    return status == 0


def _verdict(mutant: Mutant, copy: Path, tests: Sequence[str]) -> Verdict:
    started = time.monotonic()
    file = copy / mutant.file
    whole = file.read_text()
    if whole.count(mutant.old) != 1:
        told = f"({whole.count(mutant.old)} times in {mutant.file})"
        return Verdict(mutant.name, GONE, 0.0, told)
    _write(file, whole.replace(mutant.old, mutant.new))
    try:
        status, told = _tested(copy, tests, seconds=SECONDS)
    finally:
        _write(file, whole)
    how = {0: SURVIVED, 1: CAUGHT}.get(status, BROKEN)
    took = time.monotonic() - started
    return Verdict(mutant.name, how, took, "" if how == CAUGHT else told[-600:])


def _tested(
    copy: Path, tests: Sequence[str], *, seconds: float, first: bool = True
) -> tuple[int, str]:
    """Run tests in a copy; a test that hangs has noticed something."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    command += ["-x"] if first else []
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return 1, "it hung"
    return done.returncode, done.stdout + done.stderr


def _copied(copy: Path) -> Path:
    copy.mkdir()
    for name in COPIED:
        source = HERE / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=LEFT_OUT)
        elif source.exists():
            shutil.copy(source, copy / name)
    return copy


def _write(file: Path, text: str) -> None:
    """Write a module, and forget what was compiled of it."""
    file.write_text(text)
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
        compiled.unlink()


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
