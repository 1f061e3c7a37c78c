"""`backfill init`: write a small project to start from."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from backfill.errors import Conflict

TEMPLATE = "project_template"
FILES = {
    "pipelines.py": "pipelines.py",
    "sales.csv": "sales.csv",
    "test_pipelines.py": "test_pipelines.py",
    "README.md": "README.md",
    "env.example": ".env.example",
    "gitignore": ".gitignore",
}


def create_project(path: Path) -> list[Path]:
    """Write the project's files into a folder, which is made if it is not there.

    Returns:
        The files written, in the order a person would read them.

    Raises:
        Conflict: One of the files exists already; nothing is written then.
    """
    targets = {name: path / target for name, target in FILES.items()}
    if taken := [str(target) for target in targets.values() if target.exists()]:
        raise Conflict(
            f"{', '.join(taken)} exists already. Nothing was written: give another folder."
        )
    path.mkdir(parents=True, exist_ok=True)
    template = files("backfill") / TEMPLATE
    for name, target in targets.items():
        target.write_text((template / name).read_text())
    return list(targets.values())
