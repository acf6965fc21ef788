"""The address that a request was sent to, and the site it comes from.

A browser sends cookies and forms to every name that leads to this platform. A header that cannot
be read counts as foreign.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers

#: `[address]`, `[address]:port`, `address:port`.
_HOP = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d+)?|([0-9.]+)(?::\d+)?")
#: Characters of what is no address.
_LONGEST_HOP = 100
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?)(:\d{1,5})?")
#: Headers that only a proxy adds, and what other ones of them begin with.
_FORWARDED = frozenset({
    "forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip",
    "fastly-client-ip",
})  # fmt: skip
_FORWARDED_BEGIN = ("x-forwarded-", "x-original-", "x-envoy-", "cf-")
#: Whoever has an IPv6 address has all of this network.
_ONE_SENDER = 64


def host_of(headers: Headers) -> str | None:
    """The name in `Host`, in lower case and without port; None if it is not exactly one name."""
    given = headers.getlist("host")
    found = _HOST.fullmatch(given[0]) if len(given) == 1 else None
    if found is None or (found[3] and int(found[3][1:]) > 65535):
        return None
    return found[1].strip("[]").rstrip(".").lower()


def is_loopback(host: str) -> bool:
    """Whether a name always means this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_forwarded(headers: Headers) -> bool:
    """Whether the request came through a proxy."""
    return any(name in _FORWARDED or name.startswith(_FORWARDED_BEGIN) for name in headers)


def sender_of(peer: str, forwarded: Iterable[str], proxies: Iterable[str]) -> str:
    """Where a request comes from: the last hop that no proxy of ours has written.

    `forwarded`: all `X-Forwarded-For` headers in their order, for some proxies add one of their
    own behind the sender's.
    """
    known = [ipaddress.ip_network(item, strict=False) for item in proxies]
    hops = [hop.strip() for hop in ",".join(forwarded).split(",")]
    while hops and hops[-1] and _is_in(peer, known):
        peer = _plain(hops.pop())
    return _plain(peer)


def counted_as(sender: str) -> str:
    """For limits: an address, or the network of an IPv6 address."""
    try:
        found = ipaddress.ip_address(sender)
    except ValueError:
        return sender
    if found.version == 4:
        return sender
    return str(ipaddress.ip_network((found, _ONE_SENDER), strict=False))


def _is_in(
    address: str, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]
) -> bool:
    try:
        here = ipaddress.ip_address(_plain(address))
    except ValueError:
        return False
    return any(here in network for network in networks)


def _plain(hop: str) -> str:
    """The address of a hop: without port, brackets and the IPv6 form of an IPv4 address."""
    found = _HOP.fullmatch(hop)
    text = (found[1] or found[2]) if found else hop
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return hop[:_LONGEST_HOP]
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def same_site(headers: Headers, public_url: str | None) -> bool:
    """Whether what the browser says about the origin of a request allows it.

    A program need not say anything: this check is for browsers, beside the form's token.
    """
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    try:
        origin = urlsplit(headers.get("origin", ""))
    except ValueError:  # such as an address of IPv6 without its end
        return False
    ours = {headers.get("host", "").lower()}
    if public_url is not None:
        ours.add(urlsplit(public_url).netloc.lower())
    return "origin" not in headers or origin.netloc.lower() in ours
