"""The reference is what the code says, and the walks lead to code that exists."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import reference_docs  # noqa: E402 - the folder of scripts is no package

from support.mistakes import FAILURES, WARNINGS  # noqa: E402 - as below

WALKS = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
#: The last column of a walk: files, and names that stand in the file before them.
PLACES = re.findall(r"^\| .* \| (`.*) \|$", WALKS, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(reference_docs.PAGES))
def test_a_reference_page_is_what_the_code_says(name: str) -> None:
    text = reference_docs.path_of(name).read_text(encoding="utf-8")
    assert text == reference_docs.PAGES[name](), "run: python scripts/reference_docs.py"


def test_every_mistake_of_the_tests_stands_in_the_table() -> None:
    text = (ROOT / "docs" / "mistakes.md").read_text(encoding="utf-8")
    mistakes = [*FAILURES, *WARNINGS]
    assert text.startswith(f"# {len(mistakes)} mistakes, told by both\n")
    rows = re.findall(r"^\| ([^|]+?): `.*` \| (HF\d+) \|", text, re.MULTILINE)
    assert rows == [(mistake.name, mistake.expected) for mistake in mistakes]


def test_a_page_that_is_out_of_date_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference_docs, "FOLDER", tmp_path)
    assert reference_docs.main(["--check"]) == 1
    assert "docs/reference/log-events.md" in capsys.readouterr().err
    assert reference_docs.main([]) == 0
    assert reference_docs.main(["--check"]) == 0


@pytest.mark.parametrize("places", PLACES)
def test_a_walk_leads_to_code_that_exists(places: str) -> None:
    text = ""
    for word in re.findall(r"`([^`]+)`", places):
        path = ROOT / "src" / "holdfast" / word
        if "/" in word:
            assert path.exists(), word
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
        else:
            assert word.split(".")[-1] in text, word


def test_there_are_four_walks() -> None:
    assert len(PLACES) > 20
    assert WALKS.count("\n### ") == 4
