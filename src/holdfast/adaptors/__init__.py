"""Resolve, install, describe and bundle adaptors. See `docs/adaptors.md`."""

from __future__ import annotations

from holdfast.adaptors.errors import AutoinstallError, StoreError
from holdfast.adaptors.events import Event, InstallEvent
from holdfast.adaptors.location import default_store_root
from holdfast.adaptors.node import node_binary
from holdfast.adaptors.record import InstalledAdaptor
from holdfast.adaptors.specifier import Specifier
from holdfast.adaptors.store import Store

__all__ = [
    "AutoinstallError",
    "Event",
    "InstallEvent",
    "InstalledAdaptor",
    "Specifier",
    "Store",
    "StoreError",
    "default_store_root",
    "node_binary",
]
