"""What the store knows about an installed adaptor, and how it is written down."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from holdfast import durable
from holdfast.adaptors.errors import AutoinstallError, StoreError
from holdfast.adaptors.specifier import Specifier
from holdfast.model.json import Json, JsonObject, parse_document

#: Name of the metadata file beside `node_modules`. A folder without it is no adaptor.
METADATA = "holdfast.json"
_FORMAT = 1
_DIGEST = re.compile("sha256-[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class InstalledAdaptor:
    """One adaptor in one version, ready to be loaded."""

    name: str
    version: str
    #: The package's own folder.
    path: Path
    #: The file to load, relative to `path`.
    entry: str
    #: Names a job may use without importing them; empty: unknown (docs/spec/compiler.md 11).
    exports: tuple[str, ...]
    #: Digest of all files of the adaptor; empty for adaptors from a monorepo.
    integrity: str
    #: Those of them that are known to give an operation (`holdfast.adaptors.declared`).
    operations: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    def to_option(self) -> JsonObject:
        """The value for OPTIONS.adaptors of `docs/engine-protocol.md`."""
        return {
            "name": self.name,
            "version": self.version,
            "path": str(self.path),
            "entry": self.entry,
            "exports": list(self.exports),
            "integrity": self.integrity,
            "operations": list(self.operations),
        }


@dataclass(frozen=True, slots=True)
class Record:
    """The metadata file of one installed adaptor."""

    name: str
    version: str
    entry: str
    exports: tuple[str, ...]
    #: `holdfast.adaptors.exports.VERSION` when `exports` and `operations` were read.
    described: int
    #: `sha256-<hex>` over `node_modules`, see `holdfast.adaptors.tree`.
    digest: str
    files: int
    size: int  # bytes
    #: Seconds since 1970.
    installed_at: float
    #: Why it is loaded from the files as npm laid them out; empty: `entry` is one joined file.
    not_flat: str
    #: Version and npm's checksum of every package, by its place below the folder.
    packages: dict[str, dict[str, str]] = field(default_factory=dict)
    #: Which Node.js takes its code cache (`holdfast.adaptors.code_cache`); empty: not known.
    cached_for: str = ""
    operations: tuple[str, ...] = ()

    def at(self, folder: Path) -> InstalledAdaptor:
        """The adaptor this record describes, lying in `folder`."""
        return InstalledAdaptor(
            self.name,
            self.version,
            folder / "node_modules" / self.name,
            self.entry,
            self.exports,
            self.digest,
            self.operations,
        )

    @property
    def folder_name(self) -> str:
        """Place in the store; the digest makes it content-addressed."""
        return f"{self.name}@{self.version}-{self.digest.removeprefix('sha256-')[:16]}"

    def to_json(self) -> JsonObject:
        """The record as it is written; `parse_record` reads it."""
        return {"format": _FORMAT} | {name: getattr(self, name) for name in self.__slots__}

    def write(self, folder: Path) -> None:
        """Write the metadata file and force it to disk. Raises OSError."""
        text = json.dumps(self.to_json(), indent=1, sort_keys=True)
        durable.fill(folder / METADATA, f"{text}\n".encode(), mode=0o444)


def read_record(folder: Path) -> Record:
    """Read the metadata file of `folder`. Raises StoreError when it is missing or damaged."""
    try:
        return parse_record((folder / METADATA).read_bytes())
    except OSError as error:
        message = f"{folder / METADATA} cannot be read ({error.strerror})"
        raise StoreError(message) from None


def parse_record(text: bytes) -> Record:
    """A record from the text of a metadata file, which may come from elsewhere.

    Raises StoreError, also for a name, version or path that could lead out of the store.
    """
    try:
        value: Json = parse_document(text)
        assert isinstance(value, dict)
        if value["format"] != _FORMAT:
            message = "an adaptor's metadata is of a format that this Holdfast does not know"
            raise StoreError(message, fix="Install the adaptor again.")
        return _from_json(value)
    except (ValueError, KeyError, TypeError, AssertionError, AutoinstallError):
        message = "an adaptor's metadata is damaged"
        raise StoreError(message, fix="Install the adaptor again.") from None


def _from_json(value: JsonObject) -> Record:
    texts = {key: value[key] for key in ("name", "version", "entry", "digest", "not_flat")}
    texts["cached_for"] = value.get("cached_for", "")  # Holdfast of November 2026 has none
    numbers = {key: value[key] for key in ("files", "size", "installed_at", "described")}
    exports, packages = value["exports"], value["packages"]
    operations = value.get("operations", [])  # Holdfast of November 2026 has none
    assert all(isinstance(text, str) for text in texts.values())
    assert all(isinstance(number, int | float) for number in numbers.values())
    lists = {"exports": _names(exports), "operations": _names(operations)}
    assert isinstance(packages, dict)
    record = Record(packages=packages, **lists, **texts, **numbers)  # type: ignore[arg-type]  # checked above
    assert Specifier.parse(f"{record.name}@{record.version}").concrete
    assert _DIGEST.fullmatch(record.digest)
    entry = PurePosixPath(record.entry)
    assert not entry.is_absolute()
    assert ".." not in entry.parts
    return record


def _names(value: Json) -> tuple[str, ...]:
    assert isinstance(value, list)
    assert all(isinstance(name, str) for name in value)
    return tuple(str(name) for name in value)
