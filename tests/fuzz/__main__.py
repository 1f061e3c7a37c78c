"""`make fuzz`: every route as every role, with a fixed budget of requests per route.

`make fuzz ARGS="--examples 500 --seed 7 --role viewer"` asks more, otherwise, or as one role.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from backfill.roles import Role
from tests.fuzz.fuzzing import Fuzzed, fuzz
from tests.support.databases import SQLiteFiles

ROLES: dict[str, Role | None] = {"nobody": None, **{role.value: role for role in Role}}


def main() -> int:
    """Fuzz; the first finding ends it with its traceback and the request as a curl command."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=40, help="requests per route and role")
    parser.add_argument("--walks", type=int, default=40, help="walks along the links, per role")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--role", choices=list(ROLES), action="append")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="backfill-") as name:
        folder = Path(name)
        databases = SQLiteFiles(folder)
        for role in asked.role or ROLES:
            fuzzed = fuzz(
                databases.fresh(),
                folder,
                ROLES[role],
                examples=asked.examples,
                walks=asked.walks,
                seed_of_requests=asked.seed,
            )
            sys.stdout.write(f"{role}: {_told(fuzzed)}\n")
            sys.stdout.flush()
    return 0


def _told(fuzzed: Fuzzed) -> str:
    statuses: Counter[int] = Counter()
    for counts in fuzzed.answers.values():
        statuses.update(counts)
    listed = ", ".join(f"{number} x {status}" for status, number in sorted(statuses.items()))
    return f"{len(fuzzed.answers)} routes answered {listed}; nothing broke the contract"


if __name__ == "__main__":
    sys.exit(main())
