"""Try many stories: `python -m tests.state_machine --steps 10000 [--postgres URL]`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.state_machine.test_state_machine import STEPS_PER_EXAMPLE, run
from tests.support.databases import PostgresDatabases, SQLiteFiles


def main() -> None:
    """Run the state machine for about so many steps and say what happened in them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--postgres", metavar="URL", help="a server whose user may make databases")
    options = parser.parse_args()
    count = max(1, options.steps // STEPS_PER_EXAMPLE)
    with tempfile.TemporaryDirectory(prefix="backfill-") as folder:
        made = (
            PostgresDatabases(options.postgres) if options.postgres else SQLiteFiles(Path(folder))
        )
        happened = run(made, examples=count)
        if isinstance(made, PostgresDatabases):
            made.drop_template()
    print(f"{count} stories ended well. In them happened:")  # noqa: T201
    for what, times in sorted(happened.items()):
        print(f"  {times:7} {what}")  # noqa: T201


if __name__ == "__main__":
    main()
