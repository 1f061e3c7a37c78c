"""Daily sales: a partition per day, a pipeline that writes the day's report."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

from backfill import DailyPartitionsDefinition, PartitionSetDefinition, pipeline, step

HERE = Path(__file__).parent


@step(config_schema={"date": str})
def load(context: Any) -> list[dict[str, str]]:
    """Read the day's sales."""
    date = context.step_config["date"]
    with (HERE / "sales.csv").open(newline="") as file:
        sales = [row for row in csv.DictReader(file) if row["date"] == date]
    context.log.info(f"{len(sales)} products sold on {date}")
    return sales


@step
def check(sales: list[dict[str, str]]) -> list[dict[str, str]]:
    """Refuse a day without sales: something is missing then."""
    if not sales:
        raise ValueError("No sales on this day.")
    return sales


@step
def report(context: Any, sales: list[dict[str, str]]) -> str:
    """Write the day's report in one go, so that doing it again does no harm."""
    takings = {row["product"]: int(row["pieces"]) * float(row["price"]) for row in sales}
    path = HERE / "reports" / f"{context.partition_key}.json"
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{context.run_id}")
    unfinished.write_text(json.dumps({"total": round(sum(takings.values()), 2), **takings}))
    os.replace(unfinished, path)
    return str(path)


@pipeline
def daily_sales() -> None:
    report(check(load()))


sales_days = PartitionSetDefinition(
    name="sales_days",
    pipeline_name="daily_sales",
    partitions_def=DailyPartitionsDefinition(start_date="2026-01-01", end_date="2026-01-15"),
    run_config_fn_for_partition=lambda partition: {
        "steps": {"load": {"config": {"date": partition.name}}}
    },
)
