"""How the platform is reached: whose certificates count, and whether a proxy is used."""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from holdfast import log
from holdfast.worker.deflate import DeflateFactory

#: Where distributions keep the authorities that this machine trusts, should OpenSSL not know.
_STORES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


@dataclass(frozen=True, slots=True)
class Dial:
    """Settings of every connection to the platform."""

    ca_certs: Path | None = None  # NODE_EXTRA_CA_CERTS: added to the system's store
    use_proxy: bool = False  # HTTPS_PROXY, HTTP_PROXY, NO_PROXY; off, as in the reference

    def options(self, url: str) -> dict[str, Any]:
        """Arguments for `websockets.connect`.

        A platform on this machine gets nothing compressed: it would take longer than it saves.
        """
        options: dict[str, Any] = {
            "proxy": True if self.use_proxy else None,
            "compression": None,
            "extensions": None if _is_here(url) else [DeflateFactory()],
        }
        if url.startswith("wss:"):
            options["ssl"] = self._context()
        return options

    def _context(self) -> ssl.SSLContext:
        """The system's authorities, and those of the file. Each connection reads them anew, so
        that a renewed file counts; one that cannot be read is told and left out, as Node does.
        """
        context = ssl.create_default_context()
        paths = ssl.get_default_verify_paths()
        if not any(path and os.path.exists(path) for path in (paths.cafile, paths.capath)):  # noqa: PTH110 - None is no path
            for store in filter(os.path.isfile, _STORES):
                context.load_verify_locations(store)
        if self.ca_certs is not None:
            try:
                context.load_verify_locations(self.ca_certs)
            except (OSError, ssl.SSLError) as error:
                log.error("ca_certs.unreadable", file=self.ca_certs, why=error)
        return context


def _is_here(url: str) -> bool:
    """Whether an address is that of this machine itself."""
    with suppress(ValueError):  # a name, or no address at all
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    return False
