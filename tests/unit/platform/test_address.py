"""Where a request comes from, behind proxies that we know and that we do not."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from holdfast.platform.access.address import counted_as, is_forwarded, sender_of

PROXIES = ("10.0.0.0/8", "fd00::1")


@pytest.mark.parametrize(
    ("peer", "forwarded", "sender"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.1"], "198.51.100.1"),  # HAProxy adds a header
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1:51234"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::7]:51234"], "2001:db8::7"),
        ("10.0.0.1", ["2001:DB8:0::7"], "2001:db8::7"),
        ("fd00::1", ["198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),  # a socket for both versions
        ("::ffff:203.0.113.7", [], "203.0.113.7"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1,"], "10.0.0.1"),
        ("10.0.0.1", ["unknown"], "unknown"),
        ("10.0.0.1", ["x" * 5000], "x" * 100),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_the_sender_is_the_last_hop_that_no_proxy_of_ours_wrote(
    peer: str, forwarded: list[str], sender: str
) -> None:
    assert sender_of(peer, forwarded, PROXIES) == sender


def test_an_address_of_ipv6_counts_with_its_network() -> None:
    assert (
        counted_as("2001:db8:1:2:3:4:5:6") == counted_as("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    )
    assert counted_as("2001:db8:1:3::1") != counted_as("2001:db8:1:2::1")
    assert [counted_as(text) for text in ("203.0.113.7", "unknown", "")] == [
        "203.0.113.7", "unknown", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["Forwarded", "Via", "X-Real-IP", "X-Forwarded-Proto", "X-Original-Host", "CF-Connecting-IP",
     "True-Client-IP", "X-Envoy-External-Address", "X-Client-IP"],
)  # fmt: skip
def test_a_proxy_is_known_by_its_headers(name: str) -> None:
    assert is_forwarded(Headers({"host": "localhost", name: "1"}))
    assert not is_forwarded(Headers({"host": "localhost", "user-agent": "x"}))
