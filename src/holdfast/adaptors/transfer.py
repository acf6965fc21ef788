"""Carrying adaptors from a store into a bundle, and from a bundle into a store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from time import time

from holdfast.adaptors.bundle import Contents, Packed, assemble, open_bundle, write_bundle
from holdfast.adaptors.errors import StoreError
from holdfast.adaptors.events import Event, InstallEvent, Listener, ignore
from holdfast.adaptors.failures import from_system
from holdfast.adaptors.installer import place
from holdfast.adaptors.record import InstalledAdaptor
from holdfast.adaptors.specifier import Specifier
from holdfast.adaptors.store import Store


async def save_bundle(
    store: Store, specifiers: Iterable[str], target: Path, *, on_event: Listener | None = None
) -> Contents:
    """Make the adaptors ready and pack them into `target`, with what tags and ranges became.

    Raises AutoinstallError, StoreError when the file cannot be written.
    """
    wanted = list(dict.fromkeys(specifiers))
    for text in wanted:
        if Specifier.parse(text).local:
            message = f"{text} lies in a folder of your own and cannot go into a bundle"
            raise StoreError(message, fix="Name a published version in the project.")
    found = await store.ensure(wanted, on_event=on_event)
    folders = {store.folder_of(adaptor) for adaptor in found.values()}
    records = [item for item in store.installed() if item[0] in folders]
    resolutions = {}
    for text, adaptor in found.items():
        specifier = Specifier.parse(text)
        if not specifier.concrete:
            resolutions[str(specifier.at(specifier.version or "latest"))] = adaptor.version
    try:
        return await asyncio.to_thread(write_bundle, target, records, resolutions)
    except OSError as error:
        message = f"{target} cannot be written ({error.strerror})"
        raise StoreError(message) from error


async def load_bundle(
    store: Store, source: Path, *, on_event: Listener | None = None
) -> tuple[list[InstalledAdaptor], str]:
    """Put everything from a bundle into the store; what is there already stays.

    Gives the adaptors, and the platform the bundle was made on. Raises StoreError when the
    bundle is missing or not sound; then nothing was added.
    """
    listener = on_event or ignore
    try:
        async with store.exclusive("bundle") as (blobs, _):
            contents = await asyncio.to_thread(_open, source, blobs)
            found = [await _add(store, item, blobs, listener) for item in contents.adaptors]
            if contents.resolutions:
                await store.resolutions.record(contents.resolutions)
    except OSError as error:
        raise StoreError(from_system(error, source.name).message) from error
    return found, contents.platform


def _open(source: Path, blobs: Path) -> Contents:
    try:
        source.open("rb").close()
    except OSError as error:
        message = f"{source} cannot be read ({error.strerror})"
        raise StoreError(message) from None
    return open_bundle(source, blobs)


async def _add(store: Store, item: Packed, blobs: Path, listener: Listener) -> InstalledAdaptor:
    wanted = Specifier(item.record.name, item.record.version)
    async with store.exclusive(str(wanted)) as (work, _):
        present = await store.find(wanted)
        if present is not None:
            listener(InstallEvent(Event.PRESENT, str(wanted), wanted.version))
            return present
        await asyncio.to_thread(_place, store, item, blobs, work)
    added = await store.find(wanted)
    if added is None:
        message = f"{wanted} changed while it was loaded"
        raise StoreError(message, fix="Try again; check the disk.")
    listener(InstallEvent(Event.INSTALLED, str(wanted), wanted.version))
    return added


def _place(store: Store, item: Packed, blobs: Path, work: Path) -> None:
    work.mkdir(parents=True)
    assemble(item, blobs, work)
    record = replace(item.record, installed_at=time())
    record.write(work)
    place(work, store.root, record)
