"""Whose `jsconfig.json` lies beside a project file."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.cli.editor import CONFIG, is_ours


def test_a_configuration_that_is_not_there_may_be_written(tmp_path: Path) -> None:
    assert is_ours(tmp_path / CONFIG)


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ('{"files": [], "references": [{"path": "./.holdfast/http-7.2.10/jsconfig.json"}]}', True),
        ('{"files": [], "references": [{"path": "./lib"}]}', False),
        ('{"files": ["a.js"], "references": []}', False),
        ('{"compilerOptions": {}, "references": []}', False),
        ('{"references": [1]}', False),
        ("[]", False),
        ("// with a comment\n{}", False),
    ],
)
def test_a_configuration_is_ours_where_it_has_nothing_of_an_author(
    tmp_path: Path, text: str, *, ours: bool
) -> None:
    path = tmp_path / CONFIG
    path.write_text(text, encoding="utf-8")
    assert is_ours(path) is ours
