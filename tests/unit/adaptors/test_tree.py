from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.adaptors import tree
from holdfast.adaptors.errors import StoreError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "one").write_bytes(b"1")
    (root / "two").write_bytes(b"22")
    (root / "a-b").write_bytes(b"sorts between a and a/b")
    return root


def test_the_digest_depends_on_names_contents_and_the_right_to_run(folder: Path) -> None:
    first = tree.digest(folder)
    assert (first.files, first.size) == (3, 26)
    seen = {first.digest}
    (folder / "two").write_bytes(b"23")
    seen.add(tree.digest(folder).digest)
    (folder / "two").chmod(0o755)
    seen.add(tree.digest(folder).digest)
    (folder / "two").rename(folder / "three")
    seen.add(tree.digest(folder).digest)
    assert len(seen) == 4


def test_the_digest_does_not_depend_on_place_time_or_rights(folder: Path) -> None:
    before = tree.digest(folder).digest
    os.utime(folder / "two", (1, 1))
    tree.make_read_only(folder)
    moved = folder.rename(folder.with_name("elsewhere"))
    assert tree.digest(moved).digest == before


def test_a_list_of_files_has_the_digest_of_the_folder(folder: Path) -> None:
    import hashlib

    files = [
        (str(Path(item.path).relative_to(folder)), hashlib.sha256(Path(item.path).read_bytes()))
        for item in tree.entries(folder)
        if item.is_file()
    ]
    listed = tree.digest_of((path, content.hexdigest(), False) for path, content in files)
    assert listed == tree.digest(folder).digest


@pytest.mark.parametrize("kind", ["symlink", "fifo"])
def test_only_plain_files_are_accepted(folder: Path, kind: str) -> None:
    if kind == "symlink":
        (folder / "a" / "link").symlink_to("/etc/passwd")
    else:
        os.mkfifo(folder / "a" / "pipe")
    for look in (tree.digest, tree.fingerprint, tree.make_read_only):
        with pytest.raises(StoreError, match="neither a file nor a folder"):
            look(folder)


def test_the_fingerprint_notices_a_file_of_the_same_size(folder: Path) -> None:
    before = tree.fingerprint(folder)
    assert tree.fingerprint(folder) == before
    (folder / "two").write_bytes(b"33")
    os.utime(folder / "two", ns=(1, 1))
    assert tree.fingerprint(folder) != before


def test_what_is_read_only_can_be_removed(folder: Path) -> None:
    tree.make_read_only(folder)
    assert (folder / "a" / "b").stat().st_mode & 0o777 == 0o555
    tree.remove(folder)
    tree.remove(folder)
    assert not folder.exists()
