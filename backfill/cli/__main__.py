"""`python -m backfill.cli`: the same as `backfill`."""

from backfill.cli import main

main()
