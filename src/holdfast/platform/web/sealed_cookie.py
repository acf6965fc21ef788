"""A cookie that nobody else can read or make: what a person's coming back is held to."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from holdfast.platform.access.keys import BadKeyError
from holdfast.platform.service import Platform

#: Where a provider sends a person whose credential is connected.
BACK = "/oauth/back"
#: How long somebody may stay with a provider.
_SECONDS = 600


@dataclass(frozen=True, slots=True)
class SealedCookie:
    """A cookie of this name for the addresses below `path`."""

    name: str
    path: str

    def put(self, request: Request, answer: Response, values: Mapping[str, str]) -> None:
        """Keep these values with the browser for ten minutes."""
        platform: Platform = request.app.state.platform
        kept = {**values, "cookie": self.name, "until": time.time() + _SECONDS}
        sealed = platform.keys.encrypt(json.dumps(kept, ensure_ascii=False))
        # `strict` would keep it back when the provider sends the person here
        answer.set_cookie(
            self.name, base64.urlsafe_b64encode(sealed).decode(), max_age=_SECONDS,
            path=self.path, httponly=True, secure=platform.settings.secure, samesite="lax",
        )  # fmt: skip

    def read(self, request: Request) -> dict[str, Any] | None:
        """What was kept; None when nothing was in this browser, or too long ago."""
        platform: Platform = request.app.state.platform
        try:
            sealed = base64.urlsafe_b64decode(request.cookies.get(self.name, ""))
            kept: dict[str, Any] = json.loads(platform.keys.decrypt(sealed))
        except (ValueError, BadKeyError):
            return None
        mine = kept.get("cookie") == self.name and kept["until"] > time.time()
        return kept if mine else None

    def remove(self, answer: Response) -> None:
        answer.delete_cookie(self.name, path=self.path)


def address_of(request: Request, path: str) -> str:
    """The whole address of a page of ours, as a provider sends people to it."""
    platform: Platform = request.app.state.platform
    return str(platform.settings.public_url or request.base_url).rstrip("/") + path


def same(kept: object, given: str) -> bool:
    """Whether two secrets are the same, in constant time."""
    return hmac.compare_digest(str(kept).encode(), given.encode())
