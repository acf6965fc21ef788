"""One file with adaptors in it, for machines without a registry.

A gzipped tar: `manifest.json`, then `blobs/<sha256>` for every distinct file content. The
manifest has each adaptor's record and its list of files; paths are made from that list after
they were checked, never from the archive, and no archive entry but a plain blob is accepted.
The same adaptors give the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import re
import shutil
import sys
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import NoReturn

from holdfast import durable
from holdfast.adaptors import tree
from holdfast.adaptors.errors import StoreError
from holdfast.adaptors.record import Record, parse_record
from holdfast.model.json import Json, JsonObject, parse_document

_FORMAT = "holdfast-adaptors/1"
_MANIFEST = "manifest.json"
_BLOB = re.compile(r"blobs/([0-9a-f]{64})")
_MANIFEST_LIMIT = 64 << 20  # bytes
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class File:
    """One file of an adaptor: where it belongs, what is in it."""

    path: str  # relative to the adaptor's folder
    sha256: str
    size: int  # bytes
    executable: bool


@dataclass(frozen=True, slots=True)
class Packed:
    """One adaptor in a bundle."""

    record: Record
    files: tuple[File, ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a bundle's manifest says."""

    platform: str
    resolutions: dict[str, str]
    adaptors: list[Packed] = field(default_factory=list)


def this_platform() -> str:
    """System and processor: some packages carry binaries for one of them only."""
    return f"{sys.platform}-{platform.machine()}"


def write_bundle(
    target: Path, adaptors: Iterable[tuple[Path, Record]], resolutions: dict[str, str]
) -> Contents:
    """Pack the adaptors in the given folders into `target`, complete or not at all.

    Blocks for seconds. Raises OSError, StoreError.
    """
    contents = Contents(this_platform(), dict(sorted(resolutions.items())))
    sources: dict[str, Path] = {}
    for folder, record in sorted(adaptors, key=lambda item: item[1].folder_name):
        files = tuple(_files(folder, sources))
        contents.adaptors.append(Packed(replace(record, installed_at=0.0), files))
    draft = target.with_name(target.name + ".part")
    try:
        with (
            draft.open("wb") as raw,
            # No time and no file name in the header: the same bytes for the same adaptors.
            gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            manifest = json.dumps(_to_json(contents), sort_keys=True).encode()
            _add(archive, _MANIFEST, len(manifest), io.BytesIO(manifest))
            for sha256, source in sources.items():
                with source.open("rb") as file:
                    _add(archive, f"blobs/{sha256}", source.stat().st_size, file)
        durable.place(draft, target)
    finally:
        draft.unlink(missing_ok=True)
    return contents


def open_bundle(path: Path, work: Path) -> Contents:
    """Check a bundle completely and unpack its blobs into `work`; gives what is in it.

    Nothing of the bundle is outside `work` before every content has matched its hash. Blocks.
    Raises StoreError when it is no sound bundle, OSError.
    """
    work.mkdir(parents=True)
    try:
        with tarfile.open(path, "r|gz") as archive:
            contents = _read_manifest(archive)
            wanted = {f.sha256: f.size for item in contents.adaptors for f in item.files}
            while (member := archive.next()) is not None:
                match = _BLOB.fullmatch(member.name)
                if match is None or not member.isreg() or wanted.pop(match[1], -1) != member.size:
                    _refuse(f"it holds {member.name!r}, which does not belong there")
                _unpack(archive, member, match[1], work)
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error):
        _refuse("it is no bundle of adaptors, or it was cut off")
    if wanted:
        _refuse(f"{len(wanted)} files are missing")
    return contents


def assemble(item: Packed, blobs: Path, folder: Path) -> None:
    """Put one adaptor of an opened bundle together in `folder`. Raises OSError."""
    for file in item.files:
        target = folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(blobs / file.sha256, target)
        target.chmod(0o555 if file.executable else 0o444)
    tree.make_read_only(folder)


def _files(folder: Path, sources: dict[str, Path]) -> Iterator[File]:
    for entry in tree.entries(folder / "node_modules"):
        if entry.is_file(follow_symlinks=False):
            path = Path(entry.path)
            seen = entry.stat(follow_symlinks=False)
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            sources.setdefault(sha256, path)
            relative = path.relative_to(folder).as_posix()
            yield File(relative, sha256, seen.st_size, bool(seen.st_mode & 0o100))


def _add(archive: tarfile.TarFile, name: str, size: int, file: io.IOBase) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o444
    archive.addfile(info, file)


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, sha256: str, work: Path) -> None:
    source = archive.extractfile(member)
    assert source is not None, "a regular file has content"
    found = hashlib.sha256()
    with (work / sha256).open("wb") as target:
        while block := source.read(_BLOCK):
            found.update(block)
            target.write(block)
    if found.hexdigest() != sha256:
        _refuse("a file in it does not match its hash")


def _read_manifest(archive: tarfile.TarFile) -> Contents:
    member = archive.next()
    if member is None or member.name != _MANIFEST or not member.isreg():
        _refuse("it does not start with a manifest")
    source = archive.extractfile(member)
    if source is None or member.size > _MANIFEST_LIMIT:
        _refuse("its manifest is too large")
    try:
        value: Json = parse_document(source.read())
        assert isinstance(value, dict)
        assert value["format"] == _FORMAT
        return _from_json(value)
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError):
        _refuse("its manifest is damaged or of another version of Holdfast")


def _to_json(contents: Contents) -> JsonObject:
    return {
        "format": _FORMAT,
        "platform": contents.platform,
        "resolutions": dict(contents.resolutions),
        "adaptors": [
            {
                "record": item.record.to_json(),
                "files": [[f.path, f.sha256, f.size, f.executable] for f in item.files],
            }
            for item in contents.adaptors
        ],
    }


def _from_json(value: JsonObject) -> Contents:
    resolutions = value["resolutions"]
    assert isinstance(resolutions, dict)
    assert all(isinstance(version, str) for version in resolutions.values())
    contents = Contents(str(value["platform"]), {k: str(v) for k, v in resolutions.items()})
    for item in value["adaptors"]:  # type: ignore[union-attr]  # TypeError is caught
        assert isinstance(item, dict)
        record = parse_record(json.dumps(item["record"]).encode())
        files = tuple(_file(*facts) for facts in item["files"])  # type: ignore[misc,union-attr]  # checked there
        inside = ((f.path.partition("/")[2], f.sha256, f.executable) for f in files)
        if tree.digest_of(inside) != record.digest:
            _refuse(f"the files of {record.name} are not those that were packed")
        contents.adaptors.append(Packed(record, files))
    return contents


def _file(path: str, sha256: str, size: int, executable: bool) -> File:
    parts = PurePosixPath(path).parts
    if parts[:1] != ("node_modules",) or ".." in parts or "\0" in path or len(parts) < 3:
        _refuse(f"it would write to {path!r}")
    assert re.fullmatch("[0-9a-f]{64}", sha256)
    assert isinstance(size, int)
    return File(path, sha256, size, bool(executable))


def _refuse(why: str) -> NoReturn:
    message = f"the bundle cannot be used: {why}"
    raise StoreError(message, fix="Make it again with: holdfast adaptors bundle.") from None
