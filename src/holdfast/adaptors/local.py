"""Adaptors straight from a monorepo folder: `name@local`, for those who develop adaptors."""

from __future__ import annotations

from pathlib import Path

from holdfast.adaptors.errors import AutoinstallError, StoreError
from holdfast.adaptors.exports import exported_names
from holdfast.adaptors.package import entry_file, read_manifest
from holdfast.adaptors.record import InstalledAdaptor
from holdfast.adaptors.specifier import Specifier


def find_local(wanted: Specifier, monorepo: Path | None) -> InstalledAdaptor:
    """The adaptor in `<monorepo>/packages/<short name>`, as it lies there now.

    Nothing about it is recorded or verified: its files are expected to change.
    Raises AutoinstallError.
    """
    if monorepo is None:
        message = "no folder for local adaptors is set"
        raise AutoinstallError(
            message,
            specifier=str(wanted),
            fix="Set OPENFN_ADAPTORS_REPO to the folder of the adaptors monorepo.",
        )
    folder = monorepo / "packages" / wanted.short
    try:
        manifest = read_manifest(folder)
        entry = entry_file(folder, manifest)
    except StoreError as error:
        raise AutoinstallError(
            error.message,
            specifier=str(wanted),
            fix=f"Build the adaptor in {folder} first, or check OPENFN_ADAPTORS_REPO.",
        ) from None
    return InstalledAdaptor(wanted.name, "local", folder, entry, exported_names(folder), "")
