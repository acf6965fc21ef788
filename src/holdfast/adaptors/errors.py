"""Errors of adaptor installation.

HoldfastError
└── AutoinstallError        an adaptor a run needs cannot be had (docs/spec/runtime.md 5.2)
    └── StoreError          the store itself is at fault: unreadable, damaged, not writable
"""

from __future__ import annotations

from holdfast.model.errors import HoldfastError


class AutoinstallError(HoldfastError):
    """An adaptor cannot be had. The message reads `Error installing <specifier>: <cause>`."""

    def __init__(
        self, cause: str, *, specifier: str, fix: str | None = None, transient: bool = False
    ) -> None:
        super().__init__(f"Error installing {specifier}: {cause}", fix=fix)
        self.specifier = specifier
        self.cause = cause
        #: True where trying again later may help (the network, a registry that is down).
        self.transient = transient


class StoreError(HoldfastError):
    """The adaptor store, or a bundle for it, cannot be used."""
