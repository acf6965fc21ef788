"""Adaptors that runs are likely to ask for are verified before one does.

The first look at an adaptor in a process reads and hashes all of it.
"""

from __future__ import annotations

import asyncio

from holdfast.adaptors.specifier import Specifier
from holdfast.adaptors.store import Store

#: The newest installations.
_MOST = 3


async def verify_newest(store: Store) -> None:
    """Look at the adaptors that were installed last. Nothing is installed or removed."""
    for name in await asyncio.to_thread(_newest, store):
        await store.find(Specifier.parse(name))


def _newest(store: Store) -> list[str]:
    records = [record for _, record in store.installed()]
    records.sort(key=lambda record: record.installed_at, reverse=True)
    return [f"{record.name}@{record.version}" for record in records[:_MOST]]
