from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.adaptors.errors import StoreError
from holdfast.adaptors.package import entry_file, read_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("index.js", "main.cjs", "dist/index.js", "dist/index.cjs", "lib/index.js"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("manifest", "entry"),
    [
        ({}, "index.js"),
        ({"main": "main.cjs"}, "main.cjs"),
        ({"main": "./dist/index"}, "dist/index.js"),
        ({"main": "lib"}, "lib/index.js"),
        ({"exports": "./dist/index.js", "main": "main.cjs"}, "dist/index.js"),
        ({"exports": {".": "./dist/index.js"}}, "dist/index.js"),
        ({"exports": {".": {"types": "t", "import": "./dist/index.js"}}}, "dist/index.js"),
        ({"exports": {".": {"import": {"default": "./dist/index.js"}}}}, "dist/index.js"),
        ({"exports": {".": {"require": "./dist/index.cjs"}}}, "dist/index.cjs"),
        ({"exports": {"import": "./dist/index.js"}}, "dist/index.js"),
        ({"exports": {"./util": "./dist/index.js"}, "main": "main.cjs"}, "main.cjs"),
        ({"exports": {"./util": "./dist/index.js"}}, "index.js"),
    ],
)
def test_the_entry_file_is_found_in_every_form(
    folder: Path, manifest: dict[str, Any], entry: str
) -> None:
    assert entry_file(folder, manifest) == entry


@pytest.mark.parametrize("main", ["gone.js", "../index.js", "/etc/passwd", "dist/../../x.js"])
def test_an_entry_file_that_is_not_there_or_outside_is_refused(folder: Path, main: str) -> None:
    (folder.parent / "index.js").write_text("")
    with pytest.raises(StoreError, match="its entry file"):
        entry_file(folder, {"main": main})


@pytest.mark.parametrize("text", [None, "{", "[]", '"text"', '{"a":' + "[" * 5000])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "package.json").write_text(text)
    with pytest.raises(StoreError, match=r"package\.json"):
        read_manifest(tmp_path)


def test_a_manifest_is_read(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text(json.dumps({"name": "a"}))
    assert read_manifest(tmp_path) == {"name": "a"}
