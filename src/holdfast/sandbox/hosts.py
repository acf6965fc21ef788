"""Addresses of this machine, its name servers, and the addresses behind host names."""

from __future__ import annotations

import ipaddress
import os
import re
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

from holdfast.sandbox.egress import Address

_LOCAL_V4 = re.compile(r"\|-- ([0-9.]+)\n\s+/32 host LOCAL")
#: Names are looked up again when an unknown address comes this long after the last look.
_FRESH_SECONDS = 5.0


def own_addresses() -> frozenset[Address]:
    """Every address of this machine's interfaces."""
    found: set[Address] = set()
    with suppress(OSError):
        for text in _LOCAL_V4.findall(Path("/proc/net/fib_trie").read_text()):
            found.add(ipaddress.ip_address(text))
    with suppress(OSError):
        for line in Path("/proc/net/if_inet6").read_text().splitlines():
            found.add(ipaddress.IPv6Address(bytes.fromhex(line.split()[0])))
    return frozenset(found)


def nameservers(path: Path = Path("/etc/resolv.conf")) -> frozenset[Address]:
    """The name servers this machine asks."""
    found: set[Address] = set()
    with suppress(OSError):
        for line in path.read_text().splitlines():
            words = line.split()
            if len(words) > 1 and words[0] == "nameserver":
                with suppress(ValueError):
                    found.add(ipaddress.ip_address(words[1].partition("%")[0]))
    return frozenset(found)


class Resolver:
    """Knows the addresses of some names; looks them up in a thread, as lookups may block.

    `descriptor` becomes readable after each round of lookups.
    """

    def __init__(self, hosts: frozenset[str]) -> None:
        self._hosts = hosts
        self._busy = False
        self._when = 0.0
        self.known: dict[str, frozenset[Address]] = {}
        self.descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def refresh(self) -> bool:
        """Look up all names again, unless that was just done; True if an answer will come."""
        if not self._hosts:
            return False
        if not self._busy:
            if self.known and time.monotonic() - self._when < _FRESH_SECONDS:
                return False
            self._busy = True
            threading.Thread(target=self._look_up, daemon=True).start()
        return True

    def take(self) -> None:
        """Call when the descriptor is readable."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.descriptor)

    def _look_up(self) -> None:
        # Signals that are to wake the main thread must not end up here.
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        known: dict[str, frozenset[Address]] = {}
        for host in self._hosts:
            with suppress(OSError, ValueError, UnicodeError):
                found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
                known[host] = frozenset(ipaddress.ip_address(str(item[4][0])) for item in found)
        # Addresses that were good a moment ago stay: a name may rotate between two lookups.
        self.known = {host: self.known.get(host, frozenset()) | new for host, new in known.items()}
        self._when = time.monotonic()
        self._busy = False
        os.eventfd_write(self.descriptor, 1)
