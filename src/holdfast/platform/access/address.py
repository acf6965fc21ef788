"""The address that a request was sent to, and the site it comes from.

A browser sends cookies and forms to every name that leads to this platform. A header that cannot
be read counts as foreign.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?)(:\d{1,5})?")
#: Headers that only a proxy adds.
_FORWARDED = ("forwarded", "via", "x-real-ip")


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
    return any(name in _FORWARDED or name.startswith("x-forwarded-") for name in headers)


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
