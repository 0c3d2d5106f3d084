"""Every pull rule of ARCHITECTURE.md has a test of whole pulls that names it."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
TABLE = (HERE.parents[2] / "ARCHITECTURE.md").read_text().partition("## Pull rules")[2]
NAMED = {
    number
    for path in HERE.glob("test_*.py")
    for number in re.findall(r"ull rule (1\.\d+)", path.read_text())
}


def _rules() -> list[str]:
    """List the numbers of the table; `1.15, 1.16` in one row are two."""
    rows = re.findall(r"^\| (1\.[\d., ]+) \|", TABLE.partition("\n## ")[0], flags=re.MULTILINE)
    return [number for row in rows for number in row.split(", ")]


@pytest.mark.parametrize("rule", _rules())
def test_rule_has_a_test(rule: str) -> None:
    assert rule in NAMED, f"no test of image/tests/whole_pulls names pull rule {rule}"


def test_table_of_rules_is_found() -> None:
    assert _rules() == [f"1.{number}" for number in range(1, 23)]
