"""What a webhook's request must show."""

from __future__ import annotations

import base64

import pytest

from holdfast.platform.access.webhook_keys import Method, Proof, prove, signature

BODY = b'{"n":1}'
KEY, PASSWORD, SECRET = "k" * 32, "jo:pass:word-ü", "It's a Secret to Everybody"


def basic(text: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def shown(methods: list[Method], headers: dict[str, str], now: float = 1000.0) -> Proof:
    return prove(methods, headers, BODY, now)


def test_the_signature_is_githubs() -> None:
    """The example of GitHub's documentation."""
    assert signature(SECRET, b"Hello, World!") == (
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    )


@pytest.mark.parametrize(
    ("headers", "proof"),
    [
        ({}, Proof.NONE),
        ({"x-api-key": KEY}, Proof.GOOD),
        ({"x-api-key": KEY + "x"}, Proof.WRONG),
        ({"x-api-key": ""}, Proof.WRONG),
        (basic(PASSWORD), Proof.GOOD),
        (basic("jo:"), Proof.WRONG),
        ({"authorization": "Basic ???"}, Proof.WRONG),
        ({"authorization": "Bearer x"}, Proof.NONE),
        ({"x-hub-signature-256": signature(SECRET, BODY)}, Proof.GOOD),
        ({"x-hub-signature-256": signature(SECRET, BODY + b" ")}, Proof.WRONG),
        ({"x-hub-signature-256": signature(SECRET, BODY).upper()}, Proof.WRONG),
        ({"x-api-key": "wrong", **basic(PASSWORD)}, Proof.GOOD),
        ({"x-api-key": KEY, "x-hub-signature-256": "sha256=0"}, Proof.GOOD),
    ],
)
def test_one_of_several_methods_is_enough(headers: dict[str, str], proof: Proof) -> None:
    methods = [Method("api_key", (KEY,)), Method("basic", (PASSWORD,)), Method("hmac", (SECRET,))]
    assert shown(methods, headers) is proof


def test_two_secrets_are_good_while_a_key_is_rotated() -> None:
    method = Method("api_key", ("new-key", "old-key"))
    for key, proof in (("new-key", Proof.GOOD), ("old-key", Proof.GOOD), ("other", Proof.WRONG)):
        assert shown([method], {"x-api-key": key}) is proof


def test_a_key_without_a_secret_opens_nothing() -> None:
    headers = {"x-api-key": "", **basic(""), "x-hub-signature-256": signature("", BODY)}
    for kind in ("api_key", "basic", "hmac"):
        assert shown([Method(kind, ())], headers) is Proof.WRONG
        assert shown([Method(kind, ())], {}) is Proof.NONE
    assert shown([], {}) is Proof.GOOD


@pytest.mark.parametrize(
    ("time", "proof"),
    [("1000", Proof.GOOD), ("700", Proof.GOOD), ("1300", Proof.GOOD), ("699", Proof.WRONG),
     ("1301", Proof.WRONG), ("", Proof.WRONG), ("-1000", Proof.WRONG), ("²", Proof.WRONG),
     ("9" * 30, Proof.WRONG)],
)  # fmt: skip
def test_a_signature_with_a_window_carries_its_time(time: str, proof: Proof) -> None:
    method = Method("hmac", (SECRET,), window_seconds=300)
    signed = signature(SECRET, time.encode() + b"." + BODY)
    headers = {"x-hub-timestamp": time, "x-hub-signature-256": signed}
    assert shown([method], headers) is proof


def test_a_signature_without_its_time_is_not_good_in_a_window() -> None:
    method = Method("hmac", (SECRET,), window_seconds=300)
    plain = {"x-hub-signature-256": signature(SECRET, BODY)}
    assert shown([method], plain) is Proof.WRONG
    assert shown([method], {**plain, "x-hub-timestamp": "1000"}) is Proof.WRONG
