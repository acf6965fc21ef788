"""Where a run may connect to: policies, and the decision for one address. No I/O.

`open`, `public` (default: everything but loopback, link-local, cloud metadata, private and
carrier ranges, and the worker's own addresses), `lan` (`public` with the private and carrier
ranges), a list, `none`.
"""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json

Address: TypeAlias = IPv4Address | IPv6Address
Block: TypeAlias = IPv4Network | IPv6Network

#: Registered as not globally reachable (IANA special-purpose registries), with multicast and
#: the ranges whose addresses carry an IPv4 address inside.
_CLOSED = tuple(
    ipaddress.ip_network(text)
    for text in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "161.26.0.0/16",
        "166.8.0.0/14",
        "::/128",
        "::1/128",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
        "3fff::/20",
        # What is not 2000::/3 was never given out: IPv4 inside ::/96, and all that is to come.
        "::/3",
        "4000::/2",
        "8000::/1",
    ]
)
#: Networks of an organisation: what `lan` adds to `public`.
_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]
)
#: Where clouds hand out credentials, beside the link-local 169.254.169.254: never by `lan` or
#: `public`. Alibaba, Azure, AWS (with its other local services), Google, Scaleway, Oracle, Linode.
_METADATA = tuple(
    ipaddress.ip_network(text)
    for text in [
        "100.100.100.200",
        "168.63.129.16",
        "fd00:ec2::/32",
        "fd20:ce::254",
        "fd00:42::42",
        "fd00:c1::a9fe:a9fe",
        "fd00:a9fe:a9fe::/64",
    ]
)
#: The name of the rule for a closed block; every other one is `reserved range`.
_NAMES = {
    "127.0.0.0/8": "loopback",
    "::1/128": "loopback",
    "169.254.0.0/16": "link-local and cloud metadata",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "161.26.0.0/16": "a cloud's own services",
    "166.8.0.0/14": "a cloud's own services",
    **{str(block): "private range" for block in _PRIVATE},
}
#: Policies that are one word; `WIDE` may also be on a list.
WORDS = ("open", "lan", "public", "none")
WIDE = ("lan", "public")
_MAX_ENTRIES = 1000


_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


class EgressError(HoldfastError):
    """An egress policy is not understood."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One allowed destination: a block of addresses or a host name, and a port or all."""

    block: Block | None
    host: str | None
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Entry:
        """`10.0.0.0/8`, `10.1.2.3:443`, `[::1]:8080`, `api.example.org`, `api.example.org:443`."""
        host, port = _split_port(text.strip())
        if port is None or 0 < port < 65536:
            with suppress(ValueError):
                return cls(ipaddress.ip_network(host, strict=False), None, port)
            if _is_host(host):
                return cls(None, host.lower(), port)
        message = f"{text!r:.200} is no host, address or block of addresses."
        fix = "Write it as host, host:port, address, address:port or address/bits."
        raise EgressError(message, fix=fix)


def _is_host(text: str) -> bool:
    """Whether a name can be looked up: of letters (of any alphabet), digits, `-` and `_`."""
    try:
        name = text.rstrip(".").encode("idna").decode().lower()
    except UnicodeError:
        return False
    labels = name.split(".")
    # An address with a mistake in it is no host: the system would guess what it means.
    return all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit()


def _split_port(text: str) -> tuple[str, int | None]:
    if text.startswith("[") and text.endswith("]"):
        return text[1:-1], None
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        return text, None
    return (host, int(port)) if re.fullmatch("[0-9]{1,9}", port) else (text, None)


def option_of(text: str) -> Json:
    """`options.egress` for what a person wrote: a word, or a list with commas. EgressError.

    `open`, `lan`, `public`, `none`, or hosts and blocks (`api.example.org:443, 10.1.0.0/16`);
    with `lan` or `public` among them they are added to it.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if len(words) == 1 and words[0] in WORDS:
        return words[0]
    listed: list[Json] = [word for word in words if word not in WIDE]
    if not listed or not {"open", "none"}.isdisjoint(words):
        message = f"The egress policy {text!r:.200} is not understood."
        fix = "Use open, lan, public, none, or a list such as public,10.1.0.0/16,db.internal:5432."
        raise EgressError(message, fix=fix)
    base = next((word for word in WIDE if word in words), "none")
    option: Json = {"base": base, "allow": listed}
    Policy.from_option(option)
    return option


@dataclass(frozen=True, slots=True)
class Policy:
    """What one run may reach. `base` is one of WORDS; `allowed` adds to it."""

    base: str = "public"
    allowed: tuple[Entry, ...] = ()
    own_addresses: frozenset[Address] = field(default_factory=frozenset)
    nameservers: frozenset[Address] = field(default_factory=frozenset)
    #: A workflow's own policy stays within its worker's.
    within: Policy | None = None

    @classmethod
    def from_option(
        cls,
        value: Json,
        *,
        own_addresses: frozenset[Address] = frozenset(),
        nameservers: frozenset[Address] = frozenset(),
    ) -> Policy:
        """From `options.egress`: a word, or `{"allow": [...], "base": "none"}`. EgressError.

        `within` in such a document is another option, beyond which this one does not reach.
        """
        base: Json = "public" if value is None else value
        listed: Json = []
        within = None
        if isinstance(value, dict):
            base, listed = value.get("base", "none"), value.get("allow", [])
            if "within" in value:
                within = cls.from_option(
                    value["within"], own_addresses=own_addresses, nameservers=nameservers
                )
        if base not in WORDS or not isinstance(listed, list):
            message = f"The egress policy {value!r:.200} is not understood."
            fix = 'Use "open", "lan", "public", "none" or {"allow": [...]}.'
            raise EgressError(message, fix=fix)
        entries = tuple(Entry.parse(str(item)) for item in listed[:_MAX_ENTRIES])
        return cls(str(base), entries, own_addresses, nameservers, within)

    @property
    def unlimited(self) -> bool:
        return self.base == "open" and (self.within is None or self.within.unlimited)

    @property
    def nothing(self) -> bool:
        own = self.base == "none" and not self.allowed
        return own or (self.within is not None and self.within.nothing)

    @property
    def hosts(self) -> frozenset[str]:
        """Names whose addresses have to be known."""
        own = frozenset(entry.host for entry in self.allowed if entry.host)
        return own if self.within is None else own | self.within.hosts

    def allows(
        self,
        address: Address,
        port: int,
        resolved: dict[str, frozenset[Address]] | None = None,
    ) -> bool:
        """Whether a run may connect there. `resolved` holds the addresses of `hosts`."""
        return self.refusal(address, port, resolved) is None

    def refusal(
        self,
        address: Address,
        port: int,
        resolved: dict[str, frozenset[Address]] | None = None,
    ) -> str | None:
        """The rule by which a run may not connect there; None if it may."""
        address = plain(address)
        if self.within is not None:
            outer = self.within.refusal(address, port, resolved)
            if outer is not None:
                return outer
        if self.base == "open":
            return None
        if port == 53 and address in self.nameservers and not self.nothing:
            return None
        if any(self._names(entry, address, port, resolved or {}) for entry in self.allowed):
            return None
        closed = self._closed(address) if self.base in WIDE else "not listed"
        return None if closed is None else f"{self.base}: {closed}"

    @staticmethod
    def _names(
        entry: Entry, address: Address, port: int, resolved: dict[str, frozenset[Address]]
    ) -> bool:
        """Whether this entry of the list means that destination."""
        if entry.port not in (None, port):
            return False
        if entry.block is not None:
            return address in entry.block
        return entry.host is not None and address in resolved.get(entry.host, ())

    def _closed(self, address: Address) -> str | None:
        """By which rule an address is closed to `public` or `lan`; None if it is not."""
        if any(address in block for block in _METADATA):
            return "cloud metadata"
        found = next((block for block in _CLOSED if address in block), None)
        inner = _tunnelled(address)
        if found is None and inner is not None:
            return self._closed(inner)
        name = None if found is None else _NAMES.get(str(found), "reserved range")
        if address in self.own_addresses and name != "loopback":
            return "an address of the worker itself"
        if self.base == "lan" and found in _PRIVATE:
            return None
        return name if name is None or name == "loopback" else f"{name} ({found})"


def _tunnelled(address: Address) -> IPv4Address | None:
    """The IPv4 address at the end of an ISATAP address (RFC 5214), under any prefix."""
    number = int(address)
    if isinstance(address, IPv6Address) and number >> 32 & 0xFCFFFFFF == 0x00005EFE:
        return IPv4Address(number & 0xFFFFFFFF)
    return None


def plain(address: Address) -> Address:
    """IPv4 inside IPv6 is that IPv4 address: the kernel will connect there."""
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if isinstance(mapped, IPv4Address) else address
