"""The diagrams of the architecture page are those of states.py."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_diagrams_are_current() -> None:
    made = runpy.run_path(str(DOCS / "states.py"))
    text = (DOCS / "architecture.md").read_text()
    assert made["page"](text) == text, "run `python docs/states.py`"
    assert text.count("stateDiagram-v2") == 2
