"""Installed adaptors that have changed since: noticed, and installed again."""

from __future__ import annotations

import shutil
from pathlib import Path

from holdfast.adaptors import Event
from holdfast.adaptors.tree import remove
from support.registry import Registry
from support.store_room import NAME, Room


def changed(package: Path) -> None:
    (package / "data.txt").write_text("lies!")


def added(package: Path) -> None:
    (package / "more.js").write_text("")


def removed(package: Path) -> None:
    (package / "data.txt").unlink()


def replaced(package: Path) -> None:
    (package / "data.txt").unlink()
    (package / "data.txt").symlink_to("/etc/hostname")


async def test_a_damaged_adaptor_is_noticed_and_installed_again(
    room: Room, registry: Registry, tmp_path: Path
) -> None:
    registry.publish(NAME, "1.0.0", files={"data.txt": "facts"})
    await room.ensure(f"{NAME}@1.0.0")
    folder, record = room.store.installed()[0]
    package = folder / "node_modules" / NAME
    shutil.copytree(package, tmp_path / "pristine")
    for damage in (changed, added, removed, replaced):
        for path in (package.parent, package, *package.iterdir()):
            path.chmod(0o755)
        remove(package)
        shutil.copytree(tmp_path / "pristine", package)
        assert room.store.is_whole(folder, record), damage
        package.chmod(0o755)
        (package / "data.txt").chmod(0o644)
        damage(package)
        assert not room.store.is_whole(folder, record), damage
    room.store = room.another()  # as a new process would
    assert await room.ensure(f"{NAME}@1.0.0") == [f"{NAME}@1.0.0"]
    assert Event.DAMAGED in room.events()
    assert room.store.is_whole(*room.store.installed()[0])
    assert (package / "data.txt").read_text() == "facts"


async def test_what_was_damaged_goes_when_its_successor_has_other_files(
    room: Room, registry: Registry
) -> None:
    registry.publish(NAME, "1.0.0")
    await room.ensure(f"{NAME}@1.0.0")
    old, _ = room.store.installed()[0]
    (old / "node_modules" / NAME / "index.js").chmod(0o644)
    (old / "node_modules" / NAME / "index.js").write_text("damage")
    registry.publish(NAME, "1.0.0", files={"more.txt": "built anew"})
    remove(room.root / ".npm")
    room.store = room.another()
    await room.ensure(f"{NAME}@1.0.0")
    ((folder, record),) = room.store.installed()
    assert folder != old
    assert room.store.is_whole(folder, record)


async def test_a_change_of_the_entry_file_is_noticed_in_the_same_process(
    room: Room, registry: Registry
) -> None:
    registry.publish(NAME, "1.0.0")
    await room.ensure(f"{NAME}@1.0.0")
    folder, _ = room.store.installed()[0]
    entry = folder / "node_modules" / NAME / "index.js"
    entry.chmod(0o644)
    entry.write_text("exports.answer = 43;\n")
    await room.ensure(f"{NAME}@1.0.0")
    assert Event.DAMAGED in room.events()
    assert "42" in entry.read_text()


async def test_damaged_metadata_means_not_installed(room: Room, registry: Registry) -> None:
    registry.publish(NAME, "1.0.0")
    await room.ensure(f"{NAME}@1.0.0")
    folder, _ = room.store.installed()[0]
    (folder / "holdfast.json").chmod(0o644)
    (folder / "holdfast.json").write_text('{"format": 1, "name": 5')
    room.store = room.another()
    assert room.store.installed() == []
    await room.ensure(f"{NAME}@1.0.0")
    assert Event.INSTALLED in room.events()
