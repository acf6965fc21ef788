"""Whether a webhook's sender has proved to have a key (`docs/spec/platform.md` 5.2). Pure.

A trigger may have several methods, and any one of them is enough. Each may have two secrets while
it is being rotated.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

API_KEY, BASIC, HMAC = "api_key", "basic", "hmac"
KEY_HEADER = "x-api-key"
SIGNATURE_HEADER, TIME_HEADER = "x-hub-signature-256", "x-hub-timestamp"
KEY_HEADERS = (KEY_HEADER, SIGNATURE_HEADER, TIME_HEADER)
#: Headers that are never stored with a request.
HEADERS = frozenset({KEY_HEADER, SIGNATURE_HEADER, "x-hub-signature", "authorization"})


@dataclass(frozen=True, slots=True)
class Method:
    """One way to prove oneself. `secrets`: those that are good now; none: nobody can."""

    type: str
    secrets: tuple[str, ...]
    #: Seconds that a signature is good; None: as GitHub signs, without a time.
    window_seconds: int | None = None


class Proof(Enum):
    """What the request has shown."""

    GOOD = "good"
    #: It did not try.
    NONE = "none"
    WRONG = "wrong"


def prove(
    methods: Iterable[Method], headers: Mapping[str, str], body: bytes, now_seconds: float
) -> Proof:
    """What the request has shown; good without methods. `headers` have lower-case names."""
    known = list(methods)
    if not known:
        return Proof.GOOD
    proofs = [_CHECKS[method.type](method, headers, body, now_seconds) for method in known]
    for proof in (Proof.GOOD, Proof.WRONG):
        if proof in proofs:
            return proof
    return Proof.NONE


def _api_key(method: Method, headers: Mapping[str, str], _body: bytes, _now: float) -> Proof:
    given = headers.get(KEY_HEADER)
    return Proof.NONE if given is None else _among(given, method.secrets)


def _basic(method: Method, headers: Mapping[str, str], _body: bytes, _now: float) -> Proof:
    """The secret is `user:password`."""
    kind, _, text = headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return Proof.NONE
    try:
        given = base64.b64decode(text.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return Proof.WRONG
    return _among(given, method.secrets)


def _hmac(method: Method, headers: Mapping[str, str], body: bytes, now: float) -> Proof:
    """`sha256=` and the hexadecimal HMAC of the body; with a window, of `<time>.<body>`.

    A GET has no body: what it brings is its query, and so that is signed.
    """
    given = headers.get(SIGNATURE_HEADER)
    if given is None:
        return Proof.NONE
    signed = body
    if method.window_seconds is not None:
        time = headers.get(TIME_HEADER, "")
        fresh = time.isascii() and time.isdigit() and len(time) < 16
        if not fresh or abs(now - int(time)) > method.window_seconds:
            return Proof.WRONG
        signed = time.encode() + b"." + body
    expected = (signature(secret, signed) for secret in method.secrets)
    return _among(given, expected)


def signature(secret: str, signed: bytes) -> str:
    """What a sender puts into the header."""
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def _among(given: str, good: Iterable[str]) -> Proof:
    """Compares with each, in a time that tells nothing."""
    found = [hmac.compare_digest(given.encode(), one.encode()) for one in good]
    return Proof.GOOD if any(found) else Proof.WRONG


_CHECKS = {API_KEY: _api_key, BASIC: _basic, HMAC: _hmac}
