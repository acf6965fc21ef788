"""From a concrete specifier to a finished folder in the store, or to nothing at all.

npm works in a private folder; when everything is in order that folder moves into the store in
one rename. Whoever is killed leaves only the private folder behind, which the next one clears.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.adaptors import tree
from holdfast.adaptors.code_cache import made_for
from holdfast.adaptors.declared import operations
from holdfast.adaptors.errors import StoreError
from holdfast.adaptors.exports import VERSION as EXPORTS_VERSION
from holdfast.adaptors.exports import exported_names
from holdfast.adaptors.flatten import Flattener, NotFlatError
from holdfast.adaptors.npm import Npm
from holdfast.adaptors.package import entry_file, read_manifest
from holdfast.adaptors.prune import prune
from holdfast.adaptors.record import Record
from holdfast.adaptors.specifier import Specifier
from holdfast.durable import sync_folder, sync_tree
from holdfast.model.json import JsonObject


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of an adaptor before its files are sealed."""

    specifier: Specifier
    entry: str
    not_flat: str
    exports: tuple[str, ...]
    operations: tuple[str, ...]
    packages: dict[str, dict[str, str]]


class Installer:
    """Puts adaptors into the store at `root`. The caller holds the adaptor's lock."""

    def __init__(
        self, root: Path, npm: Npm, overrides: Mapping[str, str], flattener: Flattener | None
    ) -> None:
        self._root = root
        self._flattener = flattener
        self._overrides = overrides
        self._npm = npm

    async def download(self, specifier: Specifier, work: Path, hold: int) -> JsonObject:
        """Let npm fetch the adaptor into the private folder `work`, emptied first.

        Gives npm's lock file. Raises NpmError, OSError.
        """
        await asyncio.to_thread(_empty, work)
        # npm refuses an override of what is asked for itself.
        overrides = {name: v for name, v in self._overrides.items() if name != specifier.name}
        return await self._npm.install(work, str(specifier), overrides=overrides, hold=hold)

    async def finish(self, specifier: Specifier, work: Path, lock: JsonObject) -> Path:
        """Describe and seal what npm made in `work`, and move it to its place in the store.

        Gives the place. Raises StoreError, OSError.
        """
        package = work / "node_modules" / specifier.name
        manifest = read_manifest(package)
        if manifest.get("version") != specifier.version:
            message = f"npm installed version {manifest.get('version')} in its place"
            raise StoreError(message)
        entry = entry_file(package, manifest)
        not_flat = "not wanted"
        if self._flattener is not None:
            try:
                entry = await self._flattener.flatten(work, package, entry)
                not_flat = ""
            except NotFlatError as error:
                not_flat = str(error)
        exports = await asyncio.to_thread(exported_names, package)
        named = await asyncio.to_thread(operations, package)
        facts = _Facts(specifier, entry, not_flat, exports, named, _packages(lock))
        return await asyncio.to_thread(self._seal, work, facts)

    def _seal(self, work: Path, facts: _Facts) -> Path:
        modules = work / "node_modules"
        if not facts.not_flat:
            prune(work, modules / facts.specifier.name, facts.packages)
        # npm's own notes change from install to install; what matters of them is in the record.
        for leftover in (modules / ".package-lock.json", work / "package-lock.json"):
            leftover.unlink(missing_ok=True)
        (work / "package.json").unlink(missing_ok=True)
        tree.make_read_only(work)
        found = tree.digest(modules)
        record = Record(
            name=facts.specifier.name,
            version=str(facts.specifier.version),
            entry=facts.entry,
            exports=facts.exports,
            operations=facts.operations,
            described=EXPORTS_VERSION,
            not_flat=facts.not_flat,
            digest=found.digest,
            files=found.files,
            size=found.size,
            installed_at=time.time(),
            packages=facts.packages,
            cached_for="" if facts.not_flat else made_for(),
        )
        record.write(work)
        return place(work, self._root, record)


def _empty(work: Path) -> None:
    tree.remove(work.parent)
    work.mkdir(parents=True)


def place(work: Path, root: Path, record: Record) -> Path:
    """Move a finished folder into the store, over a damaged one if need be. Raises OSError.

    Every file is synced first: what stands in the store is whole, also after a power cut.
    """
    sync_tree(work)
    target = root / record.folder_name
    target.parent.mkdir(parents=True, exist_ok=True)
    # Whatever our umask: runs read the store as users of their own.
    for folder in {root, target.parent}:
        folder.chmod(0o755)
    if target.exists():
        old = work.with_name("old")
        tree.remove(old)
        target.chmod(0o755)  # a folder that moves to another parent must be writable
        target.rename(old)
        work.rename(target)
        tree.remove(old)
    else:
        work.rename(target)
    target.chmod(0o555)
    for folder in (target, target.parent, root):
        sync_folder(folder)
    return target


def _packages(lock: JsonObject) -> dict[str, dict[str, str]]:
    """Version and checksum of each package in npm's lock file."""
    found: dict[str, dict[str, str]] = {}
    packages = lock.get("packages")
    for place_, facts in packages.items() if isinstance(packages, dict) else ():
        if place_ and isinstance(facts, dict):
            found[place_] = {
                key: value
                for key in ("version", "integrity")
                if isinstance(value := facts.get(key), str)
            }
    return found
