"""The reference pages say what the code has: every command, route, document and setting."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
BUILD = runpy.run_path(str(FOLDER / "build.py"))


@pytest.mark.parametrize("name", sorted(BUILD["pages"]()))
def test_a_page_is_what_the_code_says(name: str) -> None:
    made = BUILD["pages"]()[name]()
    assert (FOLDER / name).read_text() == made, "run: python docs/reference/build.py"
