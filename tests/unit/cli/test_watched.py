"""Which files a command watches."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.cli import watched
from holdfast.cli.watched import with_beside


def test_the_nearest_files_come_first(tmp_path: Path) -> None:
    for name in ("b/deep/x.js", "b/a.js", "z.json", "node_modules/n.js", ".git/g.js", "read.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    project = tmp_path / "project.yaml"
    project.write_text("")
    found = [str(path.relative_to(tmp_path)) for path in with_beside(project)]
    assert found == ["project.yaml", "z.json", "b/a.js", "b/deep/x.js"]


def test_much_else_in_the_folder_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "_MOST_ENTRIES", 10)
    for number in range(20):
        (tmp_path / f"{number:02}").mkdir()
    (tmp_path / "19" / "far.js").write_text("")
    assert with_beside(tmp_path / "p.yaml") == [tmp_path / "p.yaml"]
