from __future__ import annotations

import ipaddress

import pytest

from holdfast.model.json import Json
from holdfast.sandbox.egress import EgressError, Entry, Policy, option_of

OWN = frozenset({ipaddress.ip_address("93.184.216.5")})
DNS = frozenset({ipaddress.ip_address("127.0.0.53")})


def allows(policy: Policy, address: str, port: int = 443) -> bool:
    return policy.allows(ipaddress.ip_address(address), port)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "10.1.2.3", "172.31.0.1", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "fd00::1", "fe80::1", "::ffff:127.0.0.1",
        "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1",
        "255.255.255.255", "93.184.216.5", "::ffff:93.184.216.5",
        # addresses of clouds outside the reserved ranges, and IPv6 that was never given out
        "168.63.129.16", "::ffff:168.63.129.16", "161.26.0.7", "166.9.1.1", "192.0.0.192",
        "::127.0.0.1", "::10.0.0.1", "::8.8.8.8", "::ffff:0:7f00:1", "::5efe:127.0.0.1",
        "fec0::1", "feff::1", "3fff::1", "5f00::1", "4000::1", "e000::1", "fd20:ce::254",
        "2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:169.254.169.254", "2001::1",
    ],
)  # fmt: skip
def test_public_is_closed_to(address: str) -> None:
    assert not allows(Policy.from_option("public", own_addresses=OWN), address)


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "172.32.0.1", "2606:4700::5efe:8.8.8.8"],
)
def test_public_is_open_to(address: str) -> None:
    assert allows(Policy.from_option(None, own_addresses=OWN), address)


def test_name_servers_answer_names_only() -> None:
    policy = Policy.from_option("public", nameservers=DNS)
    assert allows(policy, "127.0.0.53", 53)
    assert not allows(policy, "127.0.0.53", 80)
    assert not allows(Policy.from_option("none", nameservers=DNS), "127.0.0.53", 53)


def test_a_list_adds_to_its_base() -> None:
    listed = Policy.from_option({"allow": ["10.0.0.0/8", "127.0.0.1:4000", "[::1]:4000"]})
    assert allows(listed, "10.9.9.9")
    assert allows(listed, "127.0.0.1", 4000)
    assert allows(listed, "::1", 4000)
    assert not allows(listed, "127.0.0.1", 4001)
    assert not allows(listed, "8.8.8.8")
    both = Policy.from_option({"allow": ["127.0.0.1:4000"], "base": "public"})
    assert allows(both, "8.8.8.8")
    assert allows(both, "127.0.0.1", 4000)


def test_names_are_allowed_by_their_addresses() -> None:
    policy = Policy.from_option({"allow": ["api.example.org:443"]})
    address = ipaddress.ip_address("93.184.216.34")
    assert policy.hosts == {"api.example.org"}
    assert not policy.allows(address, 443, {})
    assert policy.allows(address, 443, {"api.example.org": frozenset({address})})
    assert not policy.allows(address, 80, {"api.example.org": frozenset({address})})


@pytest.mark.parametrize("option", ["everything", 7, {"allow": "x"}, {"allow": [], "base": "x"}])
def test_nonsense_is_an_error(option: object) -> None:
    with pytest.raises(EgressError):
        Policy.from_option(option)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://x/",
        "a b",
        "*.example.org",
        "bogus!",
        "a..b",
        "-a.b",
        "a_-",
        "a,b",
        "x" * 64,
        "300.1.2.3",
        "1.2.3",
        "a:b",
        "a:0",
        "a:65536",
        "10.0.0.1:99999",
        "a:\u00b2",
        "a?",
        "#",
        "[::1",
        "10.0.0.0/33",
        "über host",
    ],
)
def test_entries_that_are_none(text: str) -> None:
    with pytest.raises(EgressError):
        Entry.parse(text)


@pytest.mark.parametrize(
    "text",
    ["db", "api.example.org", "api.example.org.:443", "bücher.example", "xn--bcher-kva.example",
     "my_db.internal:5432", "a-b.c-d", "3com.example:1", "10.0.0.1:65535"],
)  # fmt: skip
def test_entries_that_are_hosts_or_addresses(text: str) -> None:
    assert isinstance(Entry.parse(text), Entry)


def test_a_policy_as_a_person_writes_it() -> None:
    assert option_of("public") == "public"
    assert option_of(" api.example.org:443, 10.1.0.0/16 ") == {
        "base": "none",
        "allow": ["api.example.org:443", "10.1.0.0/16"],
    }
    policy = Policy.from_option(option_of("public,10.1.0.0/16"))
    assert allows(policy, "10.1.2.3", 5432)
    assert allows(policy, "1.1.1.1")
    assert not allows(policy, "10.2.2.3")


@pytest.mark.parametrize(
    "text", ["", "open,10.0.0.0/8", "none,a.example", "a b", "http://a.example"]
)
def test_a_policy_that_is_none(text: str) -> None:
    with pytest.raises(EgressError):
        option_of(text)


def test_a_workflows_policy_stays_within_its_workers() -> None:
    listed = Policy.from_option(
        {"base": "none", "allow": ["10.1.0.0/16", "1.1.1.1"], "within": "public"}
    )
    assert allows(listed, "1.1.1.1")
    assert not allows(listed, "10.1.2.3"), "the worker does not allow it"
    assert not allows(listed, "8.8.8.8"), "the workflow did not ask for it"
    wide = Policy.from_option({"base": "open", "allow": [], "within": "none"})
    assert wide.nothing
    assert not wide.unlimited
    assert not allows(wide, "8.8.8.8")
    assert Policy.from_option({"base": "open", "within": "open"}).unlimited


METADATA = [
    "169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254",
    "::ffff:100.100.100.200", "fd00:42::42", "fd00:ec2::23", "fd00:c1::a9fe:a9fe",
    "fd00:a9fe:a9fe::1",
]  # fmt: skip


@pytest.mark.parametrize(
    "address", ["10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "8.8.8.8"]
)
def test_lan_is_open_to_public_and_private_networks(address: str) -> None:
    assert allows(Policy.from_option("lan", own_addresses=OWN), address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::", "169.254.1.1", "fe80::1", "224.0.0.1",
        "255.255.255.255", "93.184.216.5", "10.0.0.7", "fd00::7", "::ffff:10.0.0.7",
        "64:ff9b::a00:7", "2002:a00:7::", *METADATA,
    ],
)  # fmt: skip
def test_lan_is_closed_to_the_worker_itself_and_what_clouds_hide(address: str) -> None:
    own = OWN | {ipaddress.ip_address("10.0.0.7"), ipaddress.ip_address("fd00::7")}
    assert not allows(Policy.from_option("lan", own_addresses=own), address)


@pytest.mark.parametrize("address", METADATA)
def test_public_never_reaches_what_hands_out_credentials(address: str) -> None:
    assert not allows(Policy.from_option("public"), address)


@pytest.mark.parametrize(
    ("option", "address", "rule"),
    [
        ("lan", "127.0.0.1", "lan: loopback"),
        ("lan", "93.184.216.5", "lan: an address of the worker itself"),
        ("lan", "169.254.169.254", "lan: link-local and cloud metadata (169.254.0.0/16)"),
        ("public", "10.1.1.1", "public: private range (10.0.0.0/8)"),
        ("public", "224.0.0.1", "public: reserved range (224.0.0.0/4)"),
        ("public", "100.100.100.200", "public: cloud metadata"),
        ("none", "8.8.8.8", "none: not listed"),
        ({"base": "open", "within": "public"}, "10.1.1.1", "public: private range (10.0.0.0/8)"),
        ("lan", "10.1.1.1", None),
        ("open", "127.0.0.1", None),
    ],
)
def test_a_refusal_names_its_rule(option: Json, address: str, rule: str | None) -> None:
    policy = Policy.from_option(option, own_addresses=OWN)
    assert policy.refusal(ipaddress.ip_address(address), 443) == rule


def test_lan_may_be_on_a_list() -> None:
    policy = Policy.from_option(option_of("lan,127.0.0.1:4000"))
    assert allows(policy, "127.0.0.1", 4000)
    assert allows(policy, "10.1.1.1")
    assert not allows(policy, "127.0.0.1", 4001)
