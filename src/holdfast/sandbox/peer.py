"""The address that a run wants to connect to, read from the bytes that it gave. No I/O."""

from __future__ import annotations

import errno
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar

from holdfast.sandbox.egress import Address, plain

#: Bytes of struct sockaddr_in, and of struct sockaddr_in6 without and with a scope.
_V4_SIZE, _V6_SIZE, _V6_WHOLE = 16, 24, 28


@dataclass(frozen=True, slots=True)
class Peer:
    """An internet address with a port. `raw` is all that the kernel is given of it."""

    address: Address
    port: int
    raw: bytes

    #: Bytes: sizeof(struct sockaddr_storage), what the kernel takes at most.
    LONGEST: ClassVar[int] = 128

    @classmethod
    def parse(cls, given: bytes) -> Peer | None:
        """From a struct sockaddr; None for AF_UNSPEC, which names nobody.

        OSError (EINVAL: too short, EAFNOSUPPORT: neither IPv4 nor IPv6) as from the kernel.
        """
        family = struct.unpack_from("=H", given)[0] if len(given) >= 2 else None
        if family == socket.AF_UNSPEC:
            return None
        if family not in (None, socket.AF_INET, socket.AF_INET6):
            raise OSError(errno.EAFNOSUPPORT, "neither IPv4 nor IPv6")
        if len(given) < (_V4_SIZE if family == socket.AF_INET else _V6_SIZE):
            raise OSError(errno.EINVAL, "address too short")
        port = struct.unpack_from("!H", given, 2)[0]
        if family == socket.AF_INET:
            return cls(IPv4Address(given[4:8]), port, given[:_V4_SIZE])
        return cls(IPv6Address(given[8:24]), port, given[:_V6_WHOLE])

    def __str__(self) -> str:
        """As a person writes it: IPv4 inside IPv6 as that IPv4."""
        return f"{plain(self.address)}:{self.port}"
