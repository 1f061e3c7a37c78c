"""`backfill plan --validate`: every partition's run config, told while it goes on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from backfill.cli.output import clean, messages, print_table, say

if TYPE_CHECKING:
    from backfill.schemas.backfills import Validated

PROBLEMS_SHOWN = 10


def print_validation(progress: Iterable[Validated]) -> None:
    """Show how far a validation is, then what it found; exit status 1 unless all is well."""
    found = None
    shown = messages()
    with shown.status("Validating run configs") as status:
        for found in progress:
            status.update(f"Validating run configs: {found.checked:,} of {found.of:,}")
    if found is None:
        return
    good = found.checked - found.invalid
    say(f"{good:,} of {found.of:,} run configs are valid, {found.invalid:,} are not.")
    if found.problems:
        print_table(
            ("PARTITION", "PROBLEM"),
            [(p.partition, p.detail) for p in found.problems[:PROBLEMS_SHOWN]],
            keep="PARTITION",
        )
    if found.error is not None:
        shown.print(clean(f"It ended early: {found.error.detail}"), style="red", soft_wrap=True)
    if found.invalid or found.error:
        raise typer.Exit(1)
