"""Options of submit and plan that guard a backfill, or take a few of its partitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from backfill.schemas.backfills import Backfill

PANEL = "Guards"

Canary = Annotated[
    int | None,
    typer.Option(
        min=1, help="So many partitions, spread, run first and alone.", rich_help_panel=PANEL
    ),
]
CanaryPercent = Annotated[
    int,
    typer.Option(
        min=1,
        max=100,
        help="At least this share of the canary must succeed.",
        rich_help_panel=PANEL,
    ),
]
CanaryOnly = Annotated[
    bool,
    typer.Option("--canary-only", help="Run nothing but the canary.", rich_help_panel=PANEL),
]
BreakerOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--breaker",
        metavar="LIMIT",
        help="Pause after row=5 failures in a row, all=20 in all, or share=50/100: 50 percent of "
        "the last 100 runs. May be repeated.",
        rich_help_panel=PANEL,
    ),
]
OnConflict = Annotated[
    str,
    typer.Option(
        metavar="POLICY",
        help="When another run has a partition: wait, skip or refuse.",
        rich_help_panel=PANEL,
    ),
]
First = Annotated[
    int | None,
    typer.Option(
        "--limit", min=1, help="Only so many partitions, the first ones.", rich_help_panel=PANEL
    ),
]
Sample = Annotated[
    int | None,
    typer.Option(min=1, help="Only so many partitions, spread.", rich_help_panel=PANEL),
]


def few_of(
    canary: int | None, *, canary_only: bool, limit: int | None, sample: int | None
) -> dict[str, Any]:
    """Return the fields of a request that take a few of the selected partitions."""
    return {
        "canary": canary,
        "canary_only": canary_only or None,
        "limit": limit,
        "sample": sample,
    }


def breaker_of(given: Sequence[str] | None) -> dict[str, int] | None:
    """Return `row=5`, `all=20`, `share=50/100` as a breaker."""
    breaker: dict[str, int] = {}
    for text in given or ():
        name, _, value = text.partition("=")
        percent, slash, last = value.partition("/")
        try:
            if name == "share" and slash:
                breaker |= {"percent": int(percent.removesuffix("%")), "last": int(last)}
            elif name in {"row", "all"}:
                breaker[f"in_{name}"] = int(value)
            else:
                raise ValueError(name)
        except ValueError:
            raise typer.BadParameter(
                f"{text!r} is not row=5, all=20 or share=50/100", param_hint="--breaker"
            ) from None
    return breaker or None


def told_canary(backfill: Backfill) -> str | None:
    """Return how the canary of a backfill stands; None when it has none."""
    if backfill.canary is None:
        return None
    needed = "" if backfill.canary_percent == 100 else f", {backfill.canary_percent} percent needed"
    return f"{backfill.canary} partitions, {backfill.canary_state}{needed}"


def told_breaker(backfill: Backfill) -> str | None:
    """Return after which failures a backfill is paused; None when it has no breaker."""
    breaker = backfill.breaker
    if breaker is None:
        return None
    limits = [
        f"{breaker.in_row} failures in a row" if breaker.in_row else None,
        f"{breaker.in_all} in all" if breaker.in_all else None,
        f"{breaker.percent} percent of the last {breaker.last}" if breaker.percent else None,
    ]
    return ", ".join(limit for limit in limits if limit)
