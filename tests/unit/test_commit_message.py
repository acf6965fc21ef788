"""What the commit hook of `scripts/check_commit_message.py` refuses."""

from __future__ import annotations

import pytest
from check_commit_message import problems

GOOD = "Refuse a plan without steps\n\nIt ended as a crash of the engine.\n"


@pytest.mark.parametrize("message", [GOOD, "Add a page\n", "Merge branch 'a' into b " + "x" * 80])
def test_a_good_message_passes(message: str) -> None:
    assert problems(message) == []


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("", "empty"),
        ("# only a remark of git\n", "empty"),
        ("x" * 73 + "\n", "73 characters"),
        ("Add a page.\n", "full stop"),
        ("Add a page\nand its test\n", "second line"),
    ],
)
def test_a_bad_message_is_refused_with_the_reason(message: str, words: str) -> None:
    (problem,) = problems(message)
    assert words in problem
