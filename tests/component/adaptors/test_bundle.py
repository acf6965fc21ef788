"""Bundles: complete, deterministic, and harmless when they are broken or hostile."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.adaptors import AutoinstallError, Store, StoreError
from holdfast.adaptors.transfer import load_bundle, save_bundle
from support.registry import serve

NAME = "@openfn/language-probe"
OFFLINE = {"npm_config_registry": "http://127.0.0.1:9"}


@pytest.fixture(scope="module")
async def origin(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with a few adaptors in it; its registry is gone."""
    folder = tmp_path_factory.mktemp("origin")
    with serve() as registry:
        registry.publish("helper", "1.0.0", files={"data/facts.txt": "42"})
        registry.publish(NAME, "1.0.0", dependencies={"helper": "1.0.0"})
        registry.publish(NAME, "2.0.0", dependencies={"helper": "1.0.0"})
        store = Store(folder, environment=registry.environment(str(folder)), flatten=False)
        await store.ensure([f"{NAME}@1.0.0", f"{NAME}@latest", "helper"])
    return store


@pytest.fixture
async def bundle(origin: Store, tmp_path: Path) -> Path:
    path = tmp_path / "bundle.tgz"
    await save_bundle(origin, [f"{NAME}@1.0.0", NAME], path)
    return path


@pytest.fixture
def empty(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", environment=OFFLINE, retry_seconds=())


async def test_a_machine_without_a_network_has_what_was_bundled(
    bundle: Path, empty: Store
) -> None:
    found, _ = await load_bundle(empty, bundle)
    assert sorted(map(str, found)) == [f"{NAME}@1.0.0", f"{NAME}@2.0.0"]
    ready = await empty.ensure([f"{NAME}@1.0.0", f"{NAME}@latest", NAME])
    assert [adaptor.version for adaptor in ready.values()] == ["1.0.0", "2.0.0", "2.0.0"]
    for folder, record in empty.installed():
        assert empty.is_whole(folder, record)
        facts = folder / "node_modules" / "helper" / "data" / "facts.txt"
        assert facts.read_text() == "42"
        assert facts.stat().st_mode & 0o222 == 0
    assert not list((empty.root / ".tmp").iterdir())
    with pytest.raises(AutoinstallError, match="cannot be reached"):
        await empty.ensure(["helper"])


async def test_the_same_adaptors_give_the_same_bytes(origin: Store, bundle: Path) -> None:
    again = bundle.with_name("again.tgz")
    await save_bundle(origin, [NAME, f"{NAME}@1.0.0"], again)
    assert again.read_bytes() == bundle.read_bytes()


async def test_loading_twice_changes_nothing(bundle: Path, empty: Store) -> None:
    await load_bundle(empty, bundle)
    before = empty.installed()
    await load_bundle(empty, bundle)
    assert empty.installed() == before


async def test_a_damaged_adaptor_is_mended_from_a_bundle(bundle: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store", environment=OFFLINE)
    await load_bundle(store, bundle)
    folder, record = store.installed()[0]
    file = folder / "node_modules" / "helper" / "index.js"
    file.chmod(0o644)
    file.write_text("changed")
    await load_bundle(Store(tmp_path / "store", environment=OFFLINE), bundle)
    assert store.is_whole(folder, record)


Edit = Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]


def rewritten(bundle: Path, edit: Edit) -> Path:
    """The bundle after `edit` has changed its entries."""
    with tarfile.open(bundle) as archive:
        entries = [(m, (archive.extractfile(m) or io.BytesIO()).read()) for m in archive]
    edit(entries)
    target = bundle.with_name("edited.tgz")
    with tarfile.open(target, "w:gz") as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return target


def manifest_edit(change: Callable[[dict[str, Any]], None]) -> Edit:
    def edit(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        info, content = entries[0]
        value = json.loads(content)
        change(value)
        content = json.dumps(value).encode()
        info.size = len(content)
        entries[0] = (info, content)

    return edit


def first_path(path: str) -> Edit:
    def change(manifest: dict[str, Any]) -> None:
        manifest["adaptors"][0]["files"][0][0] = path

    return manifest_edit(change)


def record_value(key: str, value: object) -> Edit:
    def change(manifest: dict[str, Any]) -> None:
        manifest["adaptors"][0]["record"][key] = value

    return manifest_edit(change)


def entry(kind: bytes, name: str, link: str = "") -> Edit:
    def edit(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        entries.insert(1, (info, b""))

    return edit


def other_content(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    info, content = entries[-1]
    entries[-1] = (info, b"X" * len(content))


def without_last(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    entries.pop()


HOSTILE = {
    "climbs out": (first_path("node_modules/../../../evil.js"), "it would write to"),
    "absolute": (first_path("/tmp/evil.js"), "it would write to"),
    "beside the modules": (first_path("holdfast.json"), "it would write to"),
    "record climbs out": (record_value("name", "../../evil"), "metadata is damaged"),
    "record version climbs": (record_value("version", "1/../../x"), "metadata is damaged"),
    "record entry climbs": (record_value("entry", "../../../x.js"), "metadata is damaged"),
    "record digest": (record_value("digest", "sha256-" + "0" * 64), "not those that were packed"),
    "not text": (record_value("exports", [1]), "metadata is damaged"),
    "symbolic link": (entry(tarfile.SYMTYPE, "blobs/" + "a" * 64, "/etc/passwd"), "not belong"),
    "hard link": (entry(tarfile.LNKTYPE, "blobs/" + "a" * 64, "manifest.json"), "not belong"),
    "device": (entry(tarfile.CHRTYPE, "blobs/" + "a" * 64), "not belong"),
    "foreign file": (entry(tarfile.REGTYPE, "../evil"), "not belong"),
    "content changed": (other_content, "does not match its hash"),
    "content missing": (without_last, "1 files are missing"),
    "another format": (manifest_edit(lambda m: m.update(format="x/9")), "another version"),
    "no adaptors": (manifest_edit(lambda m: m.pop("adaptors")), "damaged"),
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_a_bundle_that_is_not_sound_adds_nothing(
    bundle: Path, empty: Store, case: str
) -> None:
    edit, message = HOSTILE[case]
    broken = rewritten(bundle, edit)
    before = sorted(bundle.parent.iterdir())
    with pytest.raises(StoreError, match=message):
        await load_bundle(empty, broken)
    assert empty.installed() == []
    assert empty.resolutions.all() == {}
    assert not list((empty.root / ".tmp").iterdir())
    assert [path for path in sorted(bundle.parent.iterdir()) if path != empty.root] == before


@pytest.mark.parametrize("cut", [0, 10, 500, -20])
async def test_a_file_that_was_cut_off_or_is_something_else_is_refused(
    bundle: Path, empty: Store, cut: int
) -> None:
    broken = bundle.with_name("cut.tgz")
    broken.write_bytes(bundle.read_bytes()[:cut])
    with pytest.raises(StoreError, match="the bundle cannot be used"):
        await load_bundle(empty, broken)
    broken.write_bytes(gzip.compress(b"hello"))
    with pytest.raises(StoreError, match="the bundle cannot be used"):
        await load_bundle(empty, broken)
    with pytest.raises(StoreError, match="cannot be read"):
        await load_bundle(empty, bundle.with_name("absent.tgz"))


async def test_local_adaptors_cannot_be_bundled(origin: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="lies in a folder of your own"):
        await save_bundle(origin, [f"{NAME}@local"], tmp_path / "x.tgz")
