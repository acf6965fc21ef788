"""Tokens at rest: sealed with a key of this host, and forgotten when their run is accepted.

A token in a journal is sealed with AES-GCM under a key made from the host's key and a salt in the
run's folder. Removing the salt makes every copy of that journal's token useless, although the
journal itself is append-only.
"""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from holdfast import durable
from holdfast.model.errors import HoldfastError

_KEY_BYTES = 32
_NONCE_BYTES = 12
_SALT = "token.salt"


class VaultError(HoldfastError):
    """The key of this host cannot be used."""


class Vault:
    """Seals and opens the run tokens of one data folder."""

    def __init__(self, data: Path) -> None:
        """Load the host's key, or make it. VaultError if the file is not a key."""
        path = data / "keys" / "host.key"
        durable.make_folder(path.parent)
        self._key = durable.keep(path, _new_key)
        if len(self._key) != _KEY_BYTES:
            message = f"{path} is not the key of a worker."
            fix = "Move it away: a new one is made. Tokens of open runs are then lost."
            raise VaultError(message, fix=fix)

    def seal(self, folder: Path, token: str) -> str:
        """The token as it may stand in the journal of the run in `folder`."""
        return self._sealed(durable.keep(folder / _SALT, _new_key), token)

    def begin(self, folder: Path, token: str) -> tuple[str, Path]:
        """As `seal` in a new folder; and a file that the caller syncs, with its name."""
        salt, path = _new_key(), folder / _SALT
        durable.draft(path, salt)
        return self._sealed(salt, token), path

    def _sealed(self, salt: bytes, token: str) -> str:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher(salt).encrypt(nonce, token.encode(), None)
        return base64.b64encode(sealed).decode()

    def open(self, folder: Path, sealed: str) -> str | None:
        """The token, or None if it was forgotten or the key is another."""
        try:
            salt = (folder / _SALT).read_bytes()
            data = base64.b64decode(sealed)
            plain = self._cipher(salt).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], None)
        except (OSError, ValueError, InvalidTag):
            return None
        return plain.decode()

    @staticmethod
    def forget(folder: Path) -> None:
        """Make the token of this run unreadable for ever."""
        (folder / _SALT).unlink(missing_ok=True)

    def _cipher(self, salt: bytes) -> AESGCM:
        key = HKDF(SHA256(), _KEY_BYTES, salt, b"holdfast run token").derive(self._key)
        return AESGCM(key)


def _new_key() -> bytes:
    return secrets.token_bytes(_KEY_BYTES)
