"""What a provider of OAuth 2 is asked for: consent, a token for it, and a renewed token."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from holdfast.model.errors import HoldfastError
from holdfast.platform.store.database import Row

#: A provider that takes longer is unreachable.
PATIENCE_SECONDS = 15.0
#: What the libraries raise for an address that is none, and for an answer of another shape.
_ODD = (httpx2.InvalidURL, ValueError, TypeError, OverflowError, RecursionError)
#: What a provider calls an error; anything else could be a part of a secret.
_WORD = re.compile(r"[a-z_]{1,60}")


class ProviderError(HoldfastError):
    """The provider gives no token. The text has nothing secret."""


class UnreachableError(ProviderError):
    """It does not answer, or not with a token."""


class RefusedError(ProviderError):
    """It says no; the text is its word for why."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A person is on the way to the provider; what is needed when they come back."""

    url: str
    state: str
    verifier: str = field(repr=False)


def word_of(said: object) -> str:
    """The provider's own word for an error, where it can be nothing else."""
    return said if isinstance(said, str) and _WORD.fullmatch(said) else "error"


async def begin(client: Row, back: str) -> Begun:
    """Where a person gives consent. `back`: the address that they come back to."""
    verifier = secrets.token_urlsafe(64)
    async with _session(client, None, back) as session:
        url, state = session.create_authorization_url(
            client.authorization_endpoint, code_verifier=verifier
        )
    return Begun(url, state, verifier)


async def token_for_code(
    client: Row, secret: str | None, back: str, code: str, verifier: str
) -> dict[str, Any]:
    """The provider's answer to the code that a person came back with. Raises ProviderError."""
    async with _session(client, secret, back) as session:
        return await _token(
            lambda: session.fetch_token(
                client.token_endpoint,
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
            )
        )


async def renewed_token(client: Row, secret: str | None, refresh_token: str) -> dict[str, Any]:
    """The provider's answer to a refresh token. Raises ProviderError."""
    async with _session(client, secret) as session:
        return await _token(
            lambda: session.refresh_token(client.token_endpoint, refresh_token=refresh_token)
        )


def _session(client: Row, secret: str | None, back: str | None = None) -> Any:
    # Loaded when somebody connects: it takes a tenth of a second.
    from authlib.integrations.httpx_client import AsyncOAuth2Client  # noqa: PLC0415

    return AsyncOAuth2Client(
        client.client_id,
        secret,
        scope=client.scopes or None,
        redirect_uri=back,
        code_challenge_method="S256",
        timeout=PATIENCE_SECONDS,
    )


async def _token(ask: Callable[[], Awaitable[Any]]) -> dict[str, Any]:
    """Raises ProviderError. Errors of the library are not kept: they may quote a token."""
    from authlib.integrations.base_client import OAuthError  # noqa: PLC0415

    try:
        answer = await ask()
    except OAuthError as error:
        raise RefusedError(word_of(error.error)) from None
    except (httpx2.HTTPError, *_ODD) as error:
        raise UnreachableError(type(error).__name__) from None
    if not isinstance(answer.get("access_token"), str):
        message = "no token"
        raise UnreachableError(message)
    return dict(answer)
