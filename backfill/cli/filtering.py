"""Options that say which runs a command means."""

from __future__ import annotations

from typing import Annotated

import typer

BackfillOption = Annotated[int | None, typer.Option("--backfill", help="Only of this backfill.")]
SetOption = Annotated[str | None, typer.Option("--set", help="Only of this partition set.")]
PartitionOption = Annotated[str | None, typer.Option("--partition", help="Only of this one.")]
PipelineOption = Annotated[str | None, typer.Option("--pipeline", help="Only of this pipeline.")]
StateOptions = Annotated[
    list[str] | None, typer.Option("--state", help="Only in this state; may be repeated.")
]
TagFilters = Annotated[
    list[str] | None,
    typer.Option("--tags", metavar="KEY=VALUE", help="Only with this tag; may be repeated."),
]
ScheduleOption = Annotated[
    str | None, typer.Option("--schedule", help="Only made by ticks of this schedule.")
]
AfterOption = Annotated[
    str | None, typer.Option("--created-after", metavar="TIME", help="Made then or later.")
]
BeforeOption = Annotated[
    str | None, typer.Option("--created-before", metavar="TIME", help="Made before then.")
]
