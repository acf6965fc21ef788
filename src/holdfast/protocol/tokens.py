"""Worker tokens (HS256) and run tokens (RS256): made and checked, with the time as parameter.

Rules: `docs/spec/worker-protocol.md` section 2, `docs/spec/platform.md` 4.2.

PyJWT and the RSA part of cryptography are imported where they are used: they take a third of an
agent's start, and an agent without a public key needs neither.
"""
# ruff: noqa: PLC0415 - see above

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json, JsonObject, nests_deeper, parse_document

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

WORKER_ISSUER = "urn:openfn:worker"
RUN_ISSUER = "Lightning"
#: Clock difference that is forgiven, in seconds.
TOLERANCE_SECONDS = 5
#: Time is checked here, against the caller's clock, and not by the library.
_NO_CLOCK: dict[str, Any] = {
    "verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False,
    "verify_iss": False, "verify_sub": False, "verify_jti": False,
}  # fmt: skip


class TokenError(HoldfastError):
    """A token or key is not what it should be. Never carries the token itself."""


@dataclass(frozen=True, slots=True)
class RunToken:
    """What a verified run token says; times in Unix seconds."""

    run_id: str
    not_before: float | None
    expires_at: float | None
    claims: JsonObject


def sign_worker_token(secret: str, worker_id: str, issued_at: int) -> str:
    """The token a worker connects with.

    The key is the secret's text itself; it is not decoded. The header is `{"alg":"HS256"}` and no
    more, because Lightning compares it as a whole.
    """
    claims: dict[str, Any] = {"worker_id": worker_id, "iat": issued_at, "iss": WORKER_ISSUER}
    text = f"{_part({'alg': 'HS256'})}.{_part(claims)}"
    proof = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{_base64(proof)}"


def verify_worker_token(token: str, secret: str, now: float) -> JsonObject:
    """The claims of a worker's token. TokenError if it does not prove a worker.

    `iss`, `iat` and `worker_id` are demanded; `nbf` counts only if it is there.
    """
    import warnings

    import jwt

    with warnings.catch_warnings():  # how long the secret is, is the operator's decision
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        claims = _decode(token, secret.encode(), "HS256")
    if claims.get("iss") != WORKER_ISSUER:
        message = "the token was not issued for a worker"
        raise TokenError(message)
    if not isinstance(claims.get("worker_id"), str) or not _is_number(claims.get("iat")):
        message = "the token lacks worker_id or iat"
        raise TokenError(message)
    _check_times(claims, now)
    return claims


def sign_run_token(
    key: RSAPrivateKey,
    run_id: str,
    *,
    not_before: int,
    expires_at: int,
    extra: JsonObject | None = None,
) -> str:
    """The token of one run: presented on its channel, and to Collections."""
    import jwt

    claims: dict[str, Any] = dict(extra or {})
    claims |= {"iss": RUN_ISSUER, "id": run_id, "sub": f"run:{run_id}"}
    claims |= {"nbf": not_before, "exp": expires_at}
    return jwt.encode(claims, key, algorithm="RS256")


def verify_run_token(
    token: str, key: RSAPublicKey, now: float, *, run_id: str | None = None, strict: bool = True
) -> RunToken:
    """What a run's token says. TokenError if signature, issuer, time or run are wrong.

    `strict` (the platform's side) demands all five claims and that `sub` belongs to `id`; a
    worker is lenient, as tokens of older platforms lack `sub`.
    """
    claims = _decode(token, key, "RS256")
    if claims.get("iss") != RUN_ISSUER:
        message = "the run token has another issuer"
        raise TokenError(message)
    found = claims.get("id")
    if strict:
        if claims.get("sub") != f"run:{found}" or not isinstance(found, str):
            message = "the run token's subject is not its run"
            raise TokenError(message)
        if not _is_number(claims.get("exp")) or not _is_number(claims.get("nbf")):
            message = "the run token lacks exp or nbf"
            raise TokenError(message)
    if run_id is not None and found is not None and found != run_id:
        message = "the run token belongs to another run"
        raise TokenError(message)
    _check_times(claims, now)
    return RunToken(str(found), _number(claims.get("nbf")), _number(claims.get("exp")), claims)


def expiry_of(token: str) -> float | None:
    """When a token says that it ends (Unix seconds), unverified; None if it does not say."""
    try:
        _, body, _ = token.split(".")
        claims = parse_document(_bytes_of(body))
    except ValueError:
        return None
    return _number(claims.get("exp")) if isinstance(claims, dict) else None


def lifetime_of(token: str) -> float | None:
    """For how long a token was made (seconds), unverified; None if it does not say.

    Between two times of the platform: clocks that differ do not matter.
    """
    try:
        _, body, _ = token.split(".")
        claims = parse_document(_bytes_of(body))
    except ValueError:
        return None
    if not isinstance(claims, dict):
        return None
    start, end = _number(claims.get("nbf")), _number(claims.get("exp"))
    return None if start is None or end is None else end - start


def public_key(text: str) -> RSAPublicKey:
    """An RSA key from base64 of a PEM (padded or not) or the PEM itself; SPKI or PKCS#1."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    pem = _pem(text)
    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        message = "WORKER_LIGHTNING_PUBLIC_KEY is not a public key."
        fix = "Copy the value that the platform's key generator printed (base64 of a PEM file)."
        raise TokenError(message, fix=fix) from error
    if not isinstance(key, RSAPublicKey):
        message = "The public key is not an RSA key."
        raise TokenError(message)
    return key


def private_key(text: str) -> RSAPrivateKey:
    """An RSA private key from base64 of a PEM (padded or not) or the PEM itself."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_pem(text), password=None)
    except (ValueError, TypeError) as error:
        message = "WORKER_RUNS_PRIVATE_KEY is not a private key."
        fix = "Give base64 of a PEM file with an RSA key that has no passphrase."
        raise TokenError(message, fix=fix) from error
    if not isinstance(key, RSAPrivateKey):
        message = "The private key is not an RSA key."
        raise TokenError(message)
    return key


def _part(value: JsonObject) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _pem(text: str) -> bytes:
    stripped = text.strip().strip('"')
    if stripped.startswith("-----BEGIN"):
        return stripped.replace("\\n", "\n").encode()
    compact = "".join(stripped.split()).rstrip("=")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        message = "A key is neither base64 nor PEM."
        raise TokenError(message) from error


def _decode(token: str, key: Any, algorithm: str) -> JsonObject:
    import jwt

    try:
        if any(nests_deeper(_bytes_of(part)) for part in token.split(".")[:2]):
            message = "the token is not valid (nested too deeply)"
            raise TokenError(message)
        claims = jwt.decode(token, key, algorithms=[algorithm], options=cast("Any", _NO_CLOCK))
    except (jwt.PyJWTError, ValueError) as error:
        message = f"the token is not valid ({type(error).__name__})"
        raise TokenError(message) from error
    return cast("JsonObject", claims)


def _bytes_of(part: str) -> bytes:
    """One part of a token. Raises ValueError when it is no base64."""
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _check_times(claims: JsonObject, now: float) -> None:
    start, end = claims.get("nbf"), claims.get("exp")
    if _is_number(start) and now + TOLERANCE_SECONDS < cast("float", start):
        message = "the token is not valid yet: check the clocks of both machines"
        raise TokenError(message)
    if _is_number(end) and now - TOLERANCE_SECONDS >= cast("float", end):
        message = "the token has expired"
        raise TokenError(message)


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Json) -> float | None:
    return float(cast("float", value)) if _is_number(value) else None
