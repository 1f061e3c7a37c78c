"""Whatever is asked, the API answers as its document says, and nobody gets above their role."""

from __future__ import annotations

from pathlib import Path

import pytest

from backfill.roles import Role
from tests.fuzz.fuzzing import fuzz
from tests.support.databases import SQLiteFiles


@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_no_request_breaks_the_contract(
    role: Role | None, sqlite_databases: SQLiteFiles, tmp_path: Path
) -> None:
    fuzzed = fuzz(sqlite_databases.fresh(), tmp_path, role, examples=2, walks=2)
    assert len(fuzzed.answers) >= 40
