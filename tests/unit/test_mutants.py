"""The mutation gate still fits the code: every guard stands where its mutant takes it out."""

from __future__ import annotations

import pytest

from tests.mutants.__main__ import HERE
from tests.mutants.guards import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_changes_one_place_and_is_looked_for_by_tests_that_are_there(
    mutant: Mutant,
) -> None:
    assert (HERE / mutant.file).read_text().count(mutant.old) == 1
    assert mutant.tests
    for test in mutant.tests:
        file, _, name = test.partition("::")
        wanted = f"def {name.partition('[')[0]}(" if name else "def test_"
        assert wanted in (HERE / file).read_text(), test
