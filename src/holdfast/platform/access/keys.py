"""The platform's keys: made on first start, kept in `<data>/keys/` with owner-only rights.

| file | what |
|---|---|
| `worker-secret` | HMAC key of worker tokens: the bytes of the text |
| `run-private.pem`, `run-public.pem` | RSA key pair that signs run tokens |
| `encryption-key` | AES-256 key of stored credentials, base64 |

The environment wins where it has a key (`WORKER_SECRET`, `WORKER_RUNS_PRIVATE_KEY`,
`PRIMARY_ENCRYPTION_KEY`), as with Lightning. `<data>/admin-token` (`HOLDFAST_ADMIN_TOKEN`) opens
the API and, when others than this machine can reach it, the web page.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from holdfast import durable
from holdfast.model.errors import HoldfastError
from holdfast.protocol.tokens import TokenError, private_key

_KEY_BYTES = 32
_NONCE_BYTES = 12
_RSA_BITS = 2048
_ID_BYTES = 4
#: Without the id of a key; still read.
_FIRST_VERSION = b"\x01"
_VERSION = b"\x02"
#: In the folder of keys: what was the encryption key before, one a line.
_FORMER = "former-encryption-keys"


class BadKeyError(HoldfastError):
    """A key cannot be read, made or used."""


class DataFolderError(HoldfastError):
    """The data folder cannot be written."""

    @classmethod
    def of(cls, data: Path, error: OSError) -> DataFolderError:
        """For what the system said about the folder."""
        message = f"cannot write to the data folder {data}: {error.strerror or error}"
        fix = "Choose another folder with --data, or change its owner or rights."
        return cls(message, fix=fix)


@dataclass(frozen=True, slots=True)
class Keys:
    """All keys of one platform."""

    worker_secret: str = field(repr=False)
    run_private: RSAPrivateKey = field(repr=False)
    encryption: bytes = field(repr=False)
    admin_token: str = field(repr=False)
    #: Keys that sealed something once; `store/sealed.py` seals it anew.
    former: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def run_public(self) -> RSAPublicKey:
        return self.run_private.public_key()

    @property
    def mark(self) -> bytes:
        """What everything begins with that today's key has sealed."""
        return _VERSION + key_id(self.encryption)

    def encrypt(self, text: str) -> bytes:
        """AES-256-GCM: a version byte, the key's id, the nonce, the sealed text."""
        nonce = os.urandom(_NONCE_BYTES)
        return self.mark + nonce + AESGCM(self.encryption).encrypt(nonce, text.encode(), self.mark)

    def decrypt(self, sealed: bytes) -> str:
        """The text that was encrypted. Raises BadKeyError when no key that we have did it."""
        first = sealed[:1] == _FIRST_VERSION
        head = sealed[: 1 if first else 1 + _ID_BYTES]
        nonce, rest = sealed[len(head) :][:_NONCE_BYTES], sealed[len(head) + _NONCE_BYTES :]
        for key in (self.encryption, *self.former):
            if first or head[1:] == key_id(key):
                with suppress(InvalidTag):
                    return AESGCM(key).decrypt(nonce, rest, head).decode()
        message = "a stored credential cannot be decrypted: the encryption key has changed"
        fix = "Bring back keys/encryption-key, or enter the credential again."
        raise BadKeyError(message, fix=fix)

    def is_admin(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self.admin_token.encode())


def load_keys(data: Path, environment: Mapping[str, str] = os.environ) -> Keys:
    """Read the keys; make those that are missing. Raises DataFolderError, BadKeyError."""
    folder = data / "keys"
    try:
        for needed in (data, folder):
            durable.make_folder(needed)
        text = environment.get("WORKER_RUNS_PRIVATE_KEY")
        private = _rsa_key(text or _kept(folder / "run-private.pem", _new_rsa))
        if not text:
            _kept(folder / "run-public.pem", lambda: _public_pem(private))
        return Keys(
            worker_secret=environment.get("WORKER_SECRET")
            or _kept(folder / "worker-secret", _new_secret),
            run_private=private,
            encryption=_encryption_key(
                environment.get("PRIMARY_ENCRYPTION_KEY")
                or _kept(folder / "encryption-key", _new_secret)
            ),
            admin_token=environment.get("HOLDFAST_ADMIN_TOKEN")
            or _kept(data / "admin-token", lambda: secrets.token_urlsafe(_KEY_BYTES)),
            former=_former(folder, environment),
        )
    except OSError as error:
        raise DataFolderError.of(data, error) from error


def key_id(key: bytes) -> bytes:
    """Names a key without telling it."""
    return hashlib.sha256(key).digest()[:_ID_BYTES]


def rotate(data: Path, keys: Keys, environment: Mapping[str, str] = os.environ) -> Keys:
    """The keys with a new encryption key; the old one is kept first, for what it has sealed.

    With the key in the environment, there it is changed. Raises BadKeyError, DataFolderError.
    """
    if environment.get("PRIMARY_ENCRYPTION_KEY"):
        message = "the encryption key stands in PRIMARY_ENCRYPTION_KEY"
        fix = (
            "Put the old key into HOLDFAST_FORMER_ENCRYPTION_KEYS and a new one into"
            " PRIMARY_ENCRYPTION_KEY, start again, and seal with `rotate-key --only-seal`."
        )
        raise BadKeyError(message, fix=fix)
    folder, fresh = data / "keys", _new_secret()
    former = (keys.encryption, *keys.former)
    try:
        text = "".join(base64.b64encode(key).decode() + "\n" for key in former)
        durable.write(folder / _FORMER, text.encode())
        durable.write(folder / "encryption-key", fresh.encode())
    except OSError as error:
        raise DataFolderError.of(data, error) from error
    return replace(keys, encryption=_encryption_key(fresh), former=former)


def _former(folder: Path, environment: Mapping[str, str]) -> tuple[bytes, ...]:
    """Raises OSError, BadKeyError."""
    path = folder / _FORMER
    kept = path.read_text().split() if path.exists() else []
    given = environment.get("HOLDFAST_FORMER_ENCRYPTION_KEYS", "").replace(",", " ").split()
    return tuple(_encryption_key(text) for text in (*given, *kept))


def _kept(path: Path, make: Callable[[], str]) -> str:
    """The content of `path`. A missing file is made; it is never half-written."""
    return durable.keep(path, lambda: make().encode()).decode().strip()


def _new_secret() -> str:
    return base64.b64encode(os.urandom(_KEY_BYTES)).decode()


def _new_rsa() -> str:
    return (
        rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def _rsa_key(text: str) -> RSAPrivateKey:
    try:
        key = private_key(text)
    except TokenError as error:
        message = f"the key that signs run tokens cannot be used: {error.message}"
        raise BadKeyError(message, fix=error.fix) from error
    if key.key_size < _RSA_BITS:
        message = f"the key that signs run tokens has fewer than {_RSA_BITS} bits"
        raise BadKeyError(message, fix="Remove it to let the platform make one.")
    return key


def _public_pem(key: RSAPrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def _encryption_key(text: str) -> bytes:
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _KEY_BYTES:
        message = "the encryption key must be base64 of 32 bytes"
        raise BadKeyError(message, fix="Bring back the key that the data was encrypted with.")
    return key
