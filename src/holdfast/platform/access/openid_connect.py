"""Single sign-on by OpenID Connect.

A person is sent to the provider with a state, a nonce and a PKCE challenge, and comes back with a
code. Who it is stands in a signed token of the provider, which is checked here.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import httpx2
import jwt
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from holdfast.platform.access.single_sign_on import Begun, Identity, SignOnError

_PATIENCE_SECONDS = 10.0
#: What the clocks of two machines may differ.
_LEEWAY_SECONDS = 60
#: Signatures with a public key only: with a shared one, whoever knows the client could sign.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
_SCOPE = "openid email profile"


class OpenIdConnect:
    """A provider that is found by its issuer's address."""

    def __init__(self, issuer: str, client_id: str, client_secret: str | None) -> None:
        self._issuer = issuer.rstrip("/")
        self._client_id, self._secret = client_id, client_secret
        self._found: Mapping[str, Any] | None = None

    async def begin(self, back: str) -> Begun:
        """Raises SignOnError."""
        described = await self._described()
        nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
        async with self._client(back) as client:
            url, state = client.create_authorization_url(
                described["authorization_endpoint"], nonce=nonce, code_verifier=verifier
            )
        return Begun(url, state, nonce, verifier)

    async def finish(self, back: str, code: str, nonce: str, verifier: str) -> Identity:
        """Raises SignOnError."""
        described = await self._described()
        try:
            async with self._client(back) as client:
                token = await client.fetch_token(
                    described["token_endpoint"], code=code, code_verifier=verifier
                )
        except (httpx2.HTTPError, OAuthError, ValueError) as error:
            raise SignOnError(_failed("token", error)) from None
        keys = await self._json(described["jwks_uri"], "keys")
        claims = self._claims(str(token.get("id_token")), keys, described["issuer"])
        if not secrets.compare_digest(str(claims.get("nonce")), nonce):
            message = "the token of the provider is not for this login"
            raise SignOnError(message)
        email = claims.get("email") if claims.get("email_verified") is True else None
        return Identity(
            str(claims["iss"]),
            str(claims["sub"]),
            email if isinstance(email, str) else "",
            str(claims.get("name") or email or ""),
        )

    def _claims(self, token: str, keys: Any, issuer: str) -> dict[str, Any]:
        """What a token says that the provider has signed for us. Raises SignOnError."""
        try:
            known = jwt.PyJWKSet.from_dict(keys)
            key_id = jwt.get_unverified_header(token).get("kid")
            fitting = [key for key in known.keys if key_id in {None, key.key_id}]
            if len(fitting) != 1:
                message = "the provider has no key of the id in its token"
                raise SignOnError(message)
            claims: dict[str, Any] = jwt.decode(
                token,
                fitting[0],
                algorithms=_ALGORITHMS,
                audience=self._client_id,
                issuer=issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise SignOnError(_failed("signed token", error)) from None
        if claims.get("azp", self._client_id) != self._client_id:
            message = "the token of the provider is for another program"
            raise SignOnError(message)
        return claims

    def _client(self, back: str) -> Any:
        return AsyncOAuth2Client(
            self._client_id,
            self._secret,
            scope=_SCOPE,
            redirect_uri=back,
            code_challenge_method="S256",
            timeout=_PATIENCE_SECONDS,
            token_endpoint_auth_method=None if self._secret else "none",
        )

    async def _described(self) -> Mapping[str, Any]:
        """Where the provider does what; asked once. Raises SignOnError."""
        if self._found is None:
            found = await self._json(
                f"{self._issuer}/.well-known/openid-configuration", "description"
            )
            needed = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
            if not all(isinstance(found.get(name), str) for name in needed):
                message = "the description of the provider is not whole"
                raise SignOnError(message)
            if found["issuer"].rstrip("/") != self._issuer:
                message = "the description of the provider is another issuer's"
                raise SignOnError(message)
            self._found = found
        return self._found

    async def _json(self, url: str, what: str) -> dict[str, Any]:
        """Raises SignOnError."""
        try:
            async with httpx2.AsyncClient(timeout=_PATIENCE_SECONDS) as client:
                answer = await client.get(url)
                answer.raise_for_status()
                found = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise SignOnError(_failed(what, error)) from None
        if not isinstance(found, dict):
            message = f"the {what} of the provider is no object"
            raise SignOnError(message)
        return found


def _failed(what: str, error: Exception) -> str:
    return f"the {what} of the provider cannot be used: {type(error).__name__}"
