"""Adaptors that are loaded from a monorepo folder (`name@local`), for developers of adaptors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from holdfast.adaptors.declared import operations
from holdfast.adaptors.errors import AutoinstallError, StoreError
from holdfast.adaptors.exports import exported_names
from holdfast.adaptors.package import entry_file, read_manifest
from holdfast.adaptors.record import InstalledAdaptor
from holdfast.adaptors.specifier import Specifier


def find_local(wanted: Specifier, monorepos: Sequence[Path]) -> InstalledAdaptor:
    """The adaptor in `<monorepo>/packages/<short name>` of the first that has it, as it is now.

    Nothing about it is recorded or verified: its files are expected to change.
    Raises AutoinstallError.
    """
    if not monorepos:
        message = "no folder for local adaptors is set"
        raise AutoinstallError(
            message,
            specifier=str(wanted),
            fix="Set OPENFN_ADAPTORS_REPO to the folder of the adaptors monorepo.",
        )
    folders = [root / "packages" / wanted.short for root in monorepos]
    folder = next((found for found in folders if found.is_dir()), folders[0])
    try:
        manifest = read_manifest(folder)
        entry = entry_file(folder, manifest)
    except StoreError as error:
        raise AutoinstallError(
            error.message,
            specifier=str(wanted),
            fix=f"Build the adaptor in {folder} first, or check OPENFN_ADAPTORS_REPO.",
        ) from None
    exports = exported_names(folder)
    return InstalledAdaptor(wanted.name, "local", folder, entry, exports, "", operations(folder))
