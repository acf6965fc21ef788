"""Worker and run tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from holdfast.protocol import tokens
from holdfast.protocol.tokens import TokenError

NOW = 1_795_424_524


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def part(text: str) -> dict[str, object]:
    value: dict[str, object] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return value


def test_the_worker_token_is_what_lightning_expects() -> None:
    token = tokens.sign_worker_token("c2VjcmV0", "brisk-otters-sing", NOW)
    header, claims, signature = token.split(".")
    assert part(header) == {"alg": "HS256"}
    assert part(claims) == {
        "worker_id": "brisk-otters-sing",
        "iat": NOW,
        "iss": "urn:openfn:worker",
    }
    expected = hmac.digest(b"c2VjcmV0", f"{header}.{claims}".encode(), hashlib.sha256)
    assert base64.urlsafe_b64decode(signature + "=") == expected
    assert tokens.verify_worker_token(token, "c2VjcmV0", NOW)["worker_id"] == "brisk-otters-sing"


def test_a_worker_token_with_another_secret_or_algorithm_is_refused(key: RSAPrivateKey) -> None:
    token = tokens.sign_worker_token("right", "w", NOW)
    with pytest.raises(TokenError):
        tokens.verify_worker_token(token, "wrong", NOW)
    for other in ("", "x.y.z", tokens.sign_run_token(key, "r", not_before=NOW, expires_at=NOW)):
        with pytest.raises(TokenError):
            tokens.verify_worker_token(other, "right", NOW)


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("form", [PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1])
def test_run_tokens_with_keys_in_every_dress(
    key: RSAPrivateKey, padded: bool, form: PublicFormat
) -> None:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    private_text = base64.b64encode(pem).decode()
    public_text = base64.b64encode(key.public_key().public_bytes(Encoding.PEM, form)).decode()
    if not padded:
        private_text, public_text = private_text.rstrip("="), public_text.rstrip("=")
    token = tokens.sign_run_token(
        tokens.private_key(private_text), "r1", not_before=NOW, expires_at=NOW + 310,
        extra={"claim_id": "c"},
    )  # fmt: skip
    read = tokens.verify_run_token(token, tokens.public_key(public_text), NOW, run_id="r1")
    assert (read.run_id, read.expires_at, read.claims["claim_id"]) == ("r1", NOW + 310, "c")
    assert tokens.expiry_of(token) == NOW + 310


def test_run_tokens_at_the_wrong_time_or_for_another_run(key: RSAPrivateKey) -> None:
    token = tokens.sign_run_token(key, "r1", not_before=NOW, expires_at=NOW + 10)
    public = key.public_key()
    assert tokens.verify_run_token(token, public, NOW + 14).run_id == "r1"
    for now, run in ((NOW + 15, "r1"), (NOW - 6, "r1"), (NOW, "r2")):
        with pytest.raises(TokenError):
            tokens.verify_run_token(token, public, now, run_id=run)
    other = generate_private_key(public_exponent=65537, key_size=2048).public_key()
    with pytest.raises(TokenError):
        tokens.verify_run_token(token, other, NOW)


def test_keys_that_are_none_say_so() -> None:
    with pytest.raises(TokenError, match="WORKER_LIGHTNING_PUBLIC_KEY"):
        tokens.public_key(base64.b64encode(b"not a key").decode())
    with pytest.raises(TokenError, match="neither base64 nor PEM"):
        tokens.public_key("§§§")
    assert tokens.expiry_of("x.y.z") is None
