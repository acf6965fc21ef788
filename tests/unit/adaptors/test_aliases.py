"""Adaptors of a repository that the reference's worker has made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.adaptors.aliases import find_alias
from holdfast.adaptors.specifier import Specifier

WANTED = Specifier("@openfn/language-http", "7.2.0")
ALIAS = "@openfn/language-http_7.2.0"


def repository(root: Path, *, manifest: object = None, listed: object = None) -> Path:
    """A repository with one adaptor, as the reference lays it out."""
    folder = root / "node_modules" / ALIAS
    folder.mkdir(parents=True)
    own = {"name": WANTED.name, "version": WANTED.version, "main": "main.js"}
    (folder / "package.json").write_text(json.dumps(manifest or own))
    (folder / "main.js").write_text("export const get = 1;")
    dependencies = {ALIAS: "npm:@openfn/language-http@7.2.0"} if listed is None else listed
    (root / "package.json").write_text(json.dumps({"dependencies": dependencies}))
    return root


def test_an_adaptor_that_the_reference_installed_is_found(tmp_path: Path) -> None:
    found = find_alias(WANTED, repository(tmp_path))
    assert found is not None
    assert (found.path, found.entry) == (tmp_path / "node_modules" / ALIAS, "main.js")
    assert (str(found), found.integrity) == ("@openfn/language-http@7.2.0", "")


@pytest.mark.parametrize(
    "changes",
    [
        {"listed": {}},
        {"listed": "nothing"},
        {"manifest": {"name": WANTED.name, "version": "7.2.1", "main": "main.js"}},
        {"manifest": {"name": "other", "version": WANTED.version, "main": "main.js"}},
        {"manifest": {"name": WANTED.name, "version": WANTED.version, "main": "gone.js"}},
        {"manifest": [1]},
    ],
)
def test_what_is_not_whole_is_installed_anew(tmp_path: Path, changes: dict[str, object]) -> None:
    assert find_alias(WANTED, repository(tmp_path, **changes)) is None


def test_a_version_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    assert find_alias(WANTED.at("7.2.1"), repository(tmp_path)) is None


def test_a_folder_that_is_no_repository_has_nothing(tmp_path: Path) -> None:
    assert find_alias(WANTED, tmp_path / "missing") is None
    (tmp_path / "package.json").write_text("{")
    assert find_alias(WANTED, tmp_path) is None
