"""`make fuzz`: every route as every role on both databases, a fixed budget of requests per route.

`make fuzz ARGS="--examples 500 --seed 7 --role viewer --database sqlite"` asks more, otherwise, as
one role, or on one database.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from backfill.embedded.postgres import EmbeddedPostgres
from backfill.roles import Role
from tests.fuzz.fuzzing import Fuzzed, fuzz
from tests.support.databases import Databases, PostgresDatabases, SQLiteFiles

ROLES: dict[str, Role | None] = {"nobody": None, **{role.value: role for role in Role}}


def main() -> int:
    """Fuzz; the first finding ends it with its traceback and the request as a curl command."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=40, help="requests per route and role")
    parser.add_argument("--walks", type=int, default=40, help="walks along the links, per role")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--role", choices=list(ROLES), action="append")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    asked = parser.parse_args()
    for kind in asked.database or ["sqlite", "postgresql"]:
        with opened(kind) as (databases, folder):
            for role in asked.role or ROLES:
                fuzzed = fuzz(
                    databases.fresh(),
                    folder,
                    ROLES[role],
                    examples=asked.examples,
                    walks=asked.walks,
                    seed_of_requests=asked.seed,
                )
                sys.stdout.write(f"{kind}, {role}: {_told(fuzzed)}\n")
                sys.stdout.flush()
    return 0


@contextmanager
def opened(kind: str) -> Iterator[tuple[Databases, Path]]:
    """Give what makes databases of a kind, and a folder."""
    with ExitStack() as cleanup:
        name = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="backfill-"))
        if kind == "sqlite":
            yield SQLiteFiles(Path(name)), Path(name)
        else:
            server = cleanup.enter_context(EmbeddedPostgres(durable=False))
            yield PostgresDatabases(server.url()), Path(name)


def _told(fuzzed: Fuzzed) -> str:
    statuses: Counter[int] = Counter()
    for counts in fuzzed.answers.values():
        statuses.update(counts)
    listed = ", ".join(f"{number} x {status}" for status, number in sorted(statuses.items()))
    return f"{len(fuzzed.answers)} routes answered {listed}; nothing broke the contract"


if __name__ == "__main__":
    sys.exit(main())
