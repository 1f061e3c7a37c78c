"""What the guides show works as it stands there."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

GUIDES = Path(__file__).parents[2] / "docs" / "guides"


def test_the_code_of_the_guide_to_definitions_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (GUIDES / "defining.md").read_text(), re.S)
    assert len(blocks) >= 3
    program = tmp_path / "guide.py"
    program.write_text("\n".join(blocks))
    ran = runpy.run_path(str(program))
    assert ran["result"].success


def test_every_command_a_guide_names_exists() -> None:
    reference = (GUIDES.parent / "reference" / "cli.md").read_text()
    known = set(re.findall(r"^## `backfill (\w+)", reference, re.M))
    for guide in GUIDES.glob("*.md"):
        named = set(re.findall(r"`backfill ([a-z]+)", guide.read_text()))
        assert named <= known, f"{guide.name} names {sorted(named - known)}"
