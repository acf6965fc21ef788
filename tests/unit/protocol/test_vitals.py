"""What a worker tells of itself, and who is told."""

from __future__ import annotations

import pytest

from holdfast.model.json import Json
from holdfast.protocol import vitals
from holdfast.protocol.messages import InvalidPayload


@pytest.mark.parametrize(
    ("response", "seconds"),
    [
        (vitals.offer(10), 10),
        (vitals.offer(0), 1),  # no flood, whatever a platform says
        (vitals.offer(10**9), 3600),
        # Lightning, its mock, and what is no number
        ({}, None),
        ("ok", None),
        (None, None),
        ({"holdfast": {}}, None),
        ({"holdfast": {"vitals_seconds": True}}, None),
        ({"holdfast": {"vitals_seconds": "10"}}, None),
        ({"holdfast": {"vitals_seconds": float("nan")}}, None),
        ({"holdfast": {"vitals_seconds": -1}}, None),
    ],
)
def test_only_a_platform_that_asks_is_told(response: Json, seconds: float | None) -> None:
    assert vitals.offered(response) == seconds


def test_every_member_is_kept_in_its_kind_and_nothing_else() -> None:
    told: Json = {
        "ready": "yes", "load": [0.5, "x", 1], "undelivered": -1, "disk_free_mb": 10.5,
        "isolation": "x" * 1000, "layers": ["seccomp", 1] * 200, "egress": None,
        "missing_layers": {"landlock": "x" * 1000, "uid": 1}, "secret": "no",
    }  # fmt: skip
    found = vitals.read(told)
    assert set(found) == set(vitals.NAMES)
    assert (found["ready"], found["undelivered"], found["egress"]) == (None, None, None)
    assert (found["load"], found["disk_free_mb"]) == ([0.5, 1], 10.5)
    assert found["isolation"] == "x" * vitals.LONGEST
    assert found["layers"] == ["seccomp"] * (vitals.MOST // 2)
    assert found["missing_layers"] == {"landlock": "x" * vitals.LONGEST, "uid": None}


@pytest.mark.parametrize("payload", [None, [], "text", b"bytes"])
def test_what_is_no_object_is_refused(payload: Json | bytes) -> None:
    with pytest.raises(InvalidPayload):
        vitals.read(payload)
