"""What the store knows about an installed adaptor, and how it is written down."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.adaptors.errors import StoreError
from holdfast.model.json import Json, JsonObject

#: Name of the metadata file beside `node_modules`. A folder without it is no adaptor.
METADATA = "holdfast.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class InstalledAdaptor:
    """One adaptor in one version, ready to be loaded."""

    name: str
    version: str
    #: The package's own folder.
    path: Path
    #: The file to load, relative to `path`.
    entry: str
    #: Names a job may use without importing them; empty: unknown (compiler.md 11).
    exports: tuple[str, ...]
    #: Digest of all files of the adaptor; empty for adaptors from a monorepo.
    integrity: str

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
        }


@dataclass(frozen=True, slots=True)
class Record:
    """The metadata file of one installed adaptor."""

    name: str
    version: str
    entry: str
    exports: tuple[str, ...]
    #: `sha256-<hex>` over `node_modules`, see `holdfast.adaptors.tree`.
    digest: str
    files: int
    size: int  # bytes
    #: Seconds since 1970.
    installed_at: float
    #: Version and npm's checksum of every package, by its place below the folder.
    packages: dict[str, dict[str, str]] = field(default_factory=dict)

    def at(self, folder: Path) -> InstalledAdaptor:
        """The adaptor this record describes, lying in `folder`."""
        return InstalledAdaptor(
            self.name,
            self.version,
            folder / "node_modules" / self.name,
            self.entry,
            self.exports,
            self.digest,
        )

    @property
    def folder_name(self) -> str:
        """Place in the store; the digest makes it content-addressed."""
        return f"{self.name}@{self.version}-{self.digest.removeprefix('sha256-')[:16]}"

    def write(self, folder: Path) -> None:
        """Write the metadata file and force it to disk. Raises OSError."""
        values = {name: getattr(self, name) for name in self.__slots__}
        text = json.dumps({"format": _FORMAT} | values, indent=1, sort_keys=True)
        with (folder / METADATA).open("w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        (folder / METADATA).chmod(0o444)


def read_record(folder: Path) -> Record:
    """Read the metadata file of `folder`. Raises StoreError when it is missing or damaged."""
    try:
        return parse_record((folder / METADATA).read_bytes())
    except OSError as error:
        message = f"{folder / METADATA} cannot be read ({error.strerror})"
        raise StoreError(message) from None


def parse_record(text: bytes) -> Record:
    """A record from the text of a metadata file. Raises StoreError."""
    try:
        value: Json = json.loads(text)
        assert isinstance(value, dict)
        if value.pop("format") != _FORMAT:
            message = "an adaptor's metadata is of a format that this Holdfast does not know"
            raise StoreError(message, fix="Install the adaptor again.")
        known = {name: value[name] for name in Record.__slots__}
        known["exports"] = tuple(known["exports"])  # type: ignore[assignment,arg-type]
        record = Record(**known)  # type: ignore[arg-type]  # checked right below
        assert all(isinstance(getattr(record, n), str) for n in ("name", "version", "entry"))
        assert isinstance(record.digest, str)
        assert isinstance(record.packages, dict)
        assert all(isinstance(name, str) for name in record.exports)
        record.installed_at + record.files + record.size
    except (ValueError, KeyError, TypeError, AssertionError):
        message = "an adaptor's metadata is damaged"
        raise StoreError(message, fix="Install the adaptor again.") from None
    return record
