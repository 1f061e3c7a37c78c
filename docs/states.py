"""Writes the state diagrams of architecture.md from states.py: `python docs/states.py`.

A test fails when the page is not what this writes.
"""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import Any

from backfill.states import BACKFILL_FINAL, RUN_FINAL, BackfillMove, RunMove

PAGE = Path(__file__).parent / "architecture.md"


def diagram(moves: type[Enum], first: str, final: frozenset[Any]) -> str:
    """Return a Mermaid state diagram of named moves, and a sentence per move."""
    arrows = [f"    [*] --> {first}"]
    sentences = ["| move | from | to | when |", "|---|---|---|---|"]
    for move in moves:
        sources, target, sentence = move.value
        names = sorted(source.value for source in sources)
        arrows += [f"    {name} --> {target.value}: {move.name}" for name in names]
        sentences.append(f"| {move.name} | {', '.join(names)} | {target.value} | {sentence} |")
    arrows += [f"    {state.value} --> [*]" for state in sorted(final)]
    chart = "\n".join(["```mermaid", "stateDiagram-v2", *arrows, "```"])
    return chart + "\n\n" + "\n".join(sentences)


def page(text: str) -> str:
    """Return the page with its diagrams made anew."""
    made = {
        "runs": diagram(RunMove, "pending", RUN_FINAL),
        "backfills": diagram(BackfillMove, "requested", BACKFILL_FINAL),
    }
    for name, body in made.items():
        text = re.sub(
            rf"(<!-- {name} -->\n).*?(\n<!-- /{name} -->)",
            lambda found, body=body: found[1] + body + found[2],
            text,
            flags=re.S,
        )
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
