"""What a run was refused is told in parts, each with room of its own."""

from __future__ import annotations

import json

from holdfast.sandbox.tally import CONNECTION, FORBIDDEN, REACHED, Tally


def told(tally: Tally) -> dict[tuple[str, str], int]:
    return {(one.kind, one.text): one.count for one in tally.waiting_notices()}


def test_many_refusals_of_one_part_hide_none_of_another() -> None:
    tally = Tally()
    for port in range(1000):
        tally.count(CONNECTION, f"127.0.0.1:{port} public: loopback", "public: loopback")
    tally.count(CONNECTION, "169.254.169.254:80 public: link-local", "public: link-local")
    tally.count(FORBIDDEN, "ptrace", "ptrace")
    seen = told(tally)
    assert seen[CONNECTION, ""] == 980
    assert seen[CONNECTION, "169.254.169.254:80 public: link-local"] == 1
    assert seen[FORBIDDEN, "ptrace"] == 1
    assert len(seen) == 23


def test_what_is_kept_fits_into_one_message() -> None:
    """Also where a run finds a new part for each call."""
    tally = Tally()
    text = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 public: reserved range ({}::/16)"
    for kind in (CONNECTION, FORBIDDEN, REACHED):
        for number in range(1000):
            tally.count(kind, text.format(number), str(number))
    assert sum(told(tally).values()) == 3000
    notices = [[one.kind, one.text, one.count] for one in tally.waiting_notices()]
    assert len(json.dumps(notices)) < 65536
    tally.told()
    tally.count(CONNECTION, "another", "another")
    assert told(tally) == {(CONNECTION, ""): 1}
