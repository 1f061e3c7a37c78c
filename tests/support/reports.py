"""Definitions with schedules of every kind of outcome, for tests of the API and the CLI."""

from __future__ import annotations

REPORTS = """
from datetime import datetime
from backfill import *

@step
def report(): ...

@pipeline
def reports():
    report()

@daily_schedule(
    "reports",
    start_date=datetime(2025, 12, 1),
    execution_time=datetime(2025, 1, 1, 6).time(),
    execution_timezone="America/New_York",
    tags_fn_for_date=lambda date: {"day": f"{date:%d}"},
)
def daily(date):
    \"\"\"Yesterday's report.\"\"\"
    return {}

days = PartitionSetDefinition(
    "days", "reports", partitions_def=DailyPartitionsDefinition("2025-12-01")
)

broken = {"selector": True}

def fail(context, found):
    if broken["selector"]:
        raise ValueError("no such table")
    return found.get_partitions(context.scheduled_execution_time)[-2:]

failing = days.create_schedule_definition("failing", "0 * * * *", fail)

@schedule("0 * * * *", "reports")
def idle(context):
    return SkipReason("nothing to do")
"""
