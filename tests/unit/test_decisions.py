"""Every decision has its date and reason, every figure its date and command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
RECORDS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
INDEX = (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")
PARTS = ["Context", "Decision", "Consequences", "What would change it"]


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.name[:4])
def test_a_record_has_title_date_status_and_four_parts(record: Path) -> None:
    text = record.read_text(encoding="utf-8")
    head = re.match(r"# (\d{4}): (.+)\n\nDate: (\d{4}-\d\d-\d\d)\. Area: (\w+)\. Status: ", text)
    assert head
    assert record.name.startswith(f"{head[1]}-")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS
    assert all(part.strip() for part in re.split(r"^## .+$", text, flags=re.MULTILINE))
    assert f"| [{head[1]}]({record.name}) | {head[2]} | {head[4]} | {head[3]} |\n" in INDEX


def test_every_number_is_given_once() -> None:
    numbers = [record.name[:4] for record in RECORDS]
    assert len(numbers) == len(set(numbers)) == INDEX.count("\n| [")


def test_every_table_of_figures_has_date_pace_and_command() -> None:
    text = (DOCS / "figures.md").read_text(encoding="utf-8")
    areas = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert len(areas) > 5
    for area in areas:
        assert re.search(r"\b\d{1,2} [A-Z][a-z]+ 20\d\d\b", area), area
        assert "pace" in area, area
        assert "| " in area, area
        assert re.search(r"`(python -m|make) |benchmark of its area", area), area
