"""States are written by moves alone, and spelled as in `states.py`, whoever names them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import backfill
import workers
from backfill.states import AttemptEnd, BackfillState, RunState, StepState

ROOTS = [Path(str(package.__file__)).parent for package in (backfill, workers)]
BASE = ROOTS[0].parent
MOVES = "backfill/lifecycle/moves/"
TABLES = "runs|backfills|step_outcomes"
SPELLED = {
    state.value for states in (RunState, StepState, BackfillState, AttemptEnd) for state in states
}

UPDATE = re.compile(
    rf"\bUPDATE\s+({TABLES}|\{{\}})\s+SET\s+(.*?)(?=\bWHERE\b|\bFROM\b|$)", re.I | re.S
)
INSERT = re.compile(rf"\bINSERT\s+INTO\s+({TABLES}|\{{\}})\s*\((.*?)\)", re.I | re.S)
STATE_COLUMN = re.compile(r"(?<![.\w])state(?!\w)")
COMPARED = re.compile(
    r"\b(?:state|ending)\s*(?:=|<>|!=|\bNOT\s+IN\b|\bIN\b)\s*\(?((?:\s*'\w+'\s*,?)+)", re.I
)
# Where columns are filled in at run time: counts named like the states, and the bulk insert whose
# callers are looked at below.
GENERIC = {
    "backfill/lifecycle/editing.py",  # columns of a table of fields, and it asserts which not
    "backfill/lifecycle/folding.py",
    "backfill/storage/database.py",
}
MODELS = "backfill/storage/models.py"  # its CHECKs are made from the states, and ticks have others


def sources() -> Iterator[tuple[str, ast.AST]]:
    for root in ROOTS:
        for file in sorted(root.rglob("*.py")):
            name = file.relative_to(BASE).as_posix()
            if "/migrations/" not in name and "/project_template/" not in name:
                yield name, _parsed(file)


@cache
def _parsed(file: Path) -> ast.AST:
    return ast.parse(file.read_text())


def texts(tree: ast.AST) -> Iterator[str]:
    """Yield every text of a module, an f-string with `{}` for what it fills in."""
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inside.update(id(part) for part in node.values)
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in inside
        ):
            yield node.value


def writes_state(text: str) -> bool:
    """Tell whether SQL writes a state, or writes columns that only run time knows."""
    for match in UPDATE.finditer(text):
        assignments = match[2]
        if "{}" in assignments.split("=")[0] or STATE_COLUMN.search(
            re.sub(r"=\s*[^,]*", "=", assignments)
        ):
            return True
    return any(STATE_COLUMN.search(match[2]) or "{}" in match[2] for match in INSERT.finditer(text))


def calls_that_write_state(tree: ast.AST) -> Iterator[ast.Call]:
    """Yield `.values(state=...)` and bulk inserts into a table that has states."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name == "values" and any(k.arg in ("state", None) for k in node.keywords):
            yield node
        if name == "bulk_insert" and re.search(
            rf"\b({TABLES})(_table)?\b", ast.unparse(node.args[1])
        ):
            yield node


@pytest.mark.parametrize(
    ("sql", "writes"),
    [
        ("UPDATE runs SET state = 'queued' WHERE id = 1", True),
        ("UPDATE runs SET ready = true, state = f.state FROM x", True),
        ("UPDATE {} SET state = 'x'", True),
        ("UPDATE runs SET {} WHERE id = 1", True),
        ("INSERT INTO step_outcomes (run_id, state) VALUES", True),
        ("UPDATE runs SET ready = true WHERE state = 'pending'", False),
        ("UPDATE runs SET next_publish_at = CASE WHEN state = 'queued' THEN 1 END", False),
        ("UPDATE workers SET state = 1", False),
        ("SELECT state FROM runs", False),
    ],
)
def test_the_search_knows_a_write_of_a_state(sql: str, writes: bool) -> None:
    assert writes_state(sql) is writes


def test_only_moves_write_states() -> None:
    outside = {
        name
        for name, tree in sources()
        if not name.startswith(MOVES)
        and (any(map(writes_state, texts(tree))) or any(calls_that_write_state(tree)))
    }
    assert outside == GENERIC


def test_moves_do_write_them() -> None:
    """The search is not blind: it finds the modules whose work it is."""
    inside = {
        name.removeprefix(MOVES)
        for name, tree in sources()
        if any(map(writes_state, texts(tree))) or any(calls_that_write_state(tree))
    }
    assert inside >= {
        "births.py",
        "canceling.py",
        "claiming.py",
        "endings.py",
        "queueing.py",
        "steering.py",
        "steps.py",
    }


def test_states_in_sql_are_spelled_as_in_the_states_module() -> None:
    found = [
        (name, word)
        for name, tree in sources()
        if name != MODELS
        for text in texts(tree)
        for match in COMPARED.finditer(text)
        for word in re.findall(r"'(\w+)'", match[1])
    ]
    assert len(found) > 40, "the search has gone blind"
    assert [(name, word) for name, word in found if word not in SPELLED] == []


def test_nothing_spells_canceled_with_two_l() -> None:
    spelled = [
        (name, text)
        for name, tree in sources()
        for text in texts(tree)
        if re.search(r"cancell(ed|ing)", text, re.I)
    ]
    assert spelled == []
