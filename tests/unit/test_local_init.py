"""`backfill init` writes a project that works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backfill.errors import Conflict
from backfill.local_init import create_project


def test_the_tests_of_a_new_project_pass(tmp_path: Path) -> None:
    written = create_project(tmp_path / "shop")
    assert {path.name for path in written} >= {"pipelines.py", "README.md", ".env.example"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "shop",
        env={**os.environ, "PYTHONPATH": str(tmp_path / "shop")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_project_never_overwrites_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(Conflict, match=r"README\.md exists already\. Nothing was written"):
        create_project(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "mine"
