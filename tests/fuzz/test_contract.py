"""Whatever is asked, the API answers as its document says, and nobody gets above their role."""

from __future__ import annotations

from pathlib import Path

import pytest

from backfill.roles import Role
from tests.fuzz.fuzzing import fuzz

ASKED = [
    (None, "sqlite"),
    (Role.VIEWER, "postgresql"),
    (Role.OPERATOR, "sqlite"),
    (Role.OPERATOR, "postgresql"),
    (Role.ADMIN, "postgresql"),
]


@pytest.mark.parametrize(("role", "databases"), ASKED, indirect=["databases"], ids=str)
def test_no_request_breaks_the_contract(
    role: Role | None, database_url: str, tmp_path: Path
) -> None:
    fuzzed = fuzz(database_url, tmp_path, role, examples=2, walks=2)
    assert len(fuzzed.answers) >= 40
