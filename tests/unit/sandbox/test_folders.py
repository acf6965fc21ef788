from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.sandbox import folders
from support.folders import in_memory

DEPTH = 3000  # more than a path may have, and than Python may recurse


@pytest.fixture
def deep() -> Iterator[Path]:
    """Folders in folders, in memory, with a file of 8 KiB in the last one."""
    with in_memory() as folder:
        yield filled(folder / "top")


def filled(top: Path) -> Path:
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(DEPTH):
        os.mkdir("a", dir_fd=here)
        inner = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    file = os.open("last", os.O_CREAT | os.O_WRONLY, dir_fd=here)
    os.write(file, b"x" * 8192)
    os.close(file)
    os.close(here)
    return top


def whole(folder: Path) -> int:
    return list(folders.usage(folder))[-1]


def test_a_deep_folder_is_measured_and_removed(deep: Path) -> None:
    assert whole(deep) >= 8192 + DEPTH * 1024
    folders.remove(deep)
    assert not deep.exists()


def test_the_look_pauses_also_on_the_way_through_empty_folders(tmp_path: Path) -> None:
    """Whoever looks has something else to do meanwhile: the time limit of the run."""
    for number in range(3000):
        (tmp_path / str(number)).mkdir()
    # each is an entry, a way down and a way up
    assert len(list(folders.usage(tmp_path))) > 3 * 3000 // 256


def test_what_is_not_there_is_removed_already(tmp_path: Path) -> None:
    folders.remove(tmp_path / "nothing")


def test_odd_entries_are_removed_and_never_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    top = tmp_path / "top"
    # Names that a folder moved up could get, modes that close it, a link that leads outside.
    for place in ("0/1/2", ".0/.1/.2", "closed/inner"):
        (top / place).mkdir(parents=True)
    (top / ".1").write_text("x")
    (top / "0/1/link").symlink_to(kept)
    os.mkfifo(top / "0/1/pipe")
    (top / "closed/inner").chmod(0o000)
    (top / "closed").chmod(0o500)
    assert whole(top) < 1 << 20
    folders.remove(top)
    assert not top.exists()
    assert (kept / "file").read_text() == "x"


def test_a_folder_that_is_moved_away_is_noticed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "a/b").mkdir(parents=True)
    for number in range(300):
        (top / f"a/b/{number}").touch()
    walk = folders.usage(top)
    next(walk)  # it looks through b now
    (tmp_path / "elsewhere").mkdir()
    (top / "a/b").rename(tmp_path / "elsewhere/b")
    with pytest.raises(folders.MovedError):
        list(walk)


def test_a_file_without_a_name_is_found_by_its_mapping(tmp_path: Path) -> None:
    path = tmp_path / "a (file)"
    path.write_bytes(b"x" * 4096)
    with path.open("rb") as file:
        memory = mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ)
    with memory:
        assert not folders.maps_nameless(os.getpid(), tmp_path)
        path.unlink()
        assert folders.maps_nameless(os.getpid(), tmp_path)
        assert not folders.maps_nameless(os.getpid(), tmp_path / "another")
    assert not folders.maps_nameless(os.getpid(), tmp_path)


def test_files_without_a_name_count(tmp_path: Path) -> None:
    before = folders.nameless_usage(os.getpid())
    with (tmp_path / "file").open("wb") as file:
        file.write(b"x" * 65536)
        file.flush()
        (tmp_path / "file").unlink()
        assert folders.nameless_usage(os.getpid()) >= before + 65536
