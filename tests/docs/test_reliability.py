"""The page on reliability names tests that are there, and leaves out no case."""

import re

import pytest

from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "reliability.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[^`]+)`", PAGE)) - {"tests/faults"})


@pytest.mark.parametrize("named", NAMED)
def test_a_test_that_is_named_is_there(named: str) -> None:
    file, _, function = named.partition("::")
    assert f"def {function}" in (ROOT / file).read_text()


def test_every_case_is_there() -> None:
    cases: set[int] = set()
    for numbers in re.findall(r"^\|? ?([0-9, ]+)[:,] ", PAGE, re.MULTILINE):
        cases.update(int(number) for number in numbers.split(","))
    assert cases == set(range(1, 41))
