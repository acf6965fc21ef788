"""Single sign-on: the port that the pages know. The one way behind it is `openid_connect.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from holdfast.model.errors import HoldfastError


class SignOnError(HoldfastError):
    """The provider does not say who it is. The text is for the log and for the person."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A person is on the way to the provider; what is needed when they come back."""

    url: str
    state: str
    nonce: str
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the provider says it is. `email`: empty unless the provider has checked it."""

    issuer: str
    subject: str
    email: str
    name: str


class SignOn(Protocol):
    """What the login page needs of a provider. `back` is the address that people come back to."""

    async def begin(self, back: str) -> Begun: ...

    async def finish(self, back: str, code: str, nonce: str, verifier: str) -> Identity: ...
