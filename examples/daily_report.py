"""A report, every morning, of what was written to a folder on the day before.

Each day is a partition: its report can be made again, or for days long gone, like any other:

    backfill dev -f examples/daily_report.py
    backfill schedules start daily_report
    backfill schedules tick daily_report
    backfill submit daily_report_partitions --select last:30

A report is a Markdown file named by its day, in `reports` in the home folder. Making it again
overwrites it. The folder looked at is the current one; narrow or move it with a run config:

    steps: {find_files: {config: {folder: /var/log, pattern: "*.log"}}}
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time
from pathlib import Path
from typing import Any

from backfill import Field, Metadata, Output, PathValue, daily_schedule, pipeline, step

ZONE = "America/New_York"
MOST_FILES = 100_000


@step(
    config_schema={
        "folder": Field(str, default_value="."),
        "pattern": Field(str, default_value="*", description="Of the files' names."),
    }
)
def find_files(context: Any) -> list[dict[str, Any]]:
    """Find the files that were last written on the partition's day, largest first."""
    window = context.partition_time_window
    folder = Path(context.step_config["folder"])
    found: list[dict[str, Any]] = []
    for path in _files(folder, context.step_config["pattern"]):
        try:
            stat = path.stat()
        except FileNotFoundError:  # deleted meanwhile
            continue
        if window.start.timestamp() <= stat.st_mtime < window.end.timestamp():
            found.append({"file": str(path.relative_to(folder)), "bytes": stat.st_size})
    context.log.info(f"{len(found)} files of {folder.resolve()} were written that day")
    return sorted(found, key=lambda file: (-file["bytes"], file["file"]))[:MOST_FILES]


def _files(folder: Path, pattern: str) -> Iterator[Path]:
    """Yield the files below a folder, hidden ones and what lies in hidden folders left out."""
    for path in folder.rglob(pattern):
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts):
            yield path


@step
def add_up(files: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Add up the bytes by kind of file, most first."""
    kinds: Counter[str] = Counter()
    for file in files:
        kinds[Path(file["file"]).suffix or "other"] += file["bytes"]
    return dict(kinds.most_common())


@step
def write_report(
    context: Any, files: Sequence[Mapping[str, Any]], kinds: Mapping[str, int]
) -> Iterator[Output | Metadata]:
    """Write the day's report, in place of the one that may be there."""
    day = context.partition_key
    lines = [f"# {day}", "", f"{len(files)} files, {sum(kinds.values()):,} bytes.", ""]
    lines += [f"- {kind}: {size:,} bytes" for kind, size in kinds.items()]
    lines += ["", "The largest:", ""] if files else []
    lines += [f"- `{file['file']}`: {file['bytes']:,} bytes" for file in files[:20]]
    report = Path(os.environ.get("BACKFILL_HOME") or ".backfill") / "reports" / f"{day}.md"
    report.parent.mkdir(parents=True, exist_ok=True)
    fresh = report.with_suffix(f".{context.run_id}-{context.attempt}")
    fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")
    fresh.replace(report)
    yield Metadata(files=len(files), report=PathValue(str(report)))
    yield Output(str(report))


@pipeline(description="What was written to a folder on one day.")
def report_of_a_day() -> None:
    files = find_files()
    write_report(files, add_up(files))


@daily_schedule(
    "report_of_a_day",
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - in the zone of the schedule
    execution_time=time(6, 0),
    execution_timezone=ZONE,
    tags_fn_for_date=lambda date: {"weekday": f"{date:%A}"},
    catch_up="all",  # a report that is late is better than none
    max_failures=2,
)
def daily_report(_: datetime) -> dict[str, Any]:
    """Yesterday's report, at six in the morning in New York."""
    return {}
