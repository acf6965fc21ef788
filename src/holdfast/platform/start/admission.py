"""Who may use a webhook, how, and how often (`docs/spec/platform.md` 5.2)."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from starlette.requests import Request

from holdfast.model.json import JsonObject
from holdfast.platform.access.address import counted_as
from holdfast.platform.access.identity import address_of
from holdfast.platform.access.webhook_keys import KEY_HEADERS, Proof, prove
from holdfast.platform.clock import now
from holdfast.platform.project.access import METHODS
from holdfast.platform.service import Platform
from holdfast.platform.start.payload import Rejected, read
from holdfast.platform.store import webhook_keys
from holdfast.platform.store.database import Row

NOT_FOUND: JsonObject = {"error": "Webhook not found"}
#: Headers of a page elsewhere that it may send to us, and read of our answer.
_SENT = ", ".join(("content-type", "idempotency-key", "authorization", *KEY_HEADERS))
_SHOWN = "x-meta-work-order-id, x-meta-run-id, retry-after"
_LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Options:
    """What a trigger says about its requests."""

    #: Names of the project's webhook keys; any one of them is enough.
    keys: tuple[str, ...] = ()
    methods: tuple[str, ...] = METHODS[:1]
    #: Web sites whose pages may send requests here: `https://forms.example.org`, or `*`.
    origins: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str | None) -> Options:
        """As the trigger keeps it, in JSON."""
        told = json.loads(text or "{}")
        return cls(**{name: tuple(value) for name, value in told.items()})

    def sharing(self, origin: str | None) -> dict[str, str]:
        """The headers that let a page of this origin send and read."""
        if not self.origins:
            return {}
        if origin is None or not {origin, "*"} & set(self.origins):
            return {"vary": "origin"}
        return {
            "vary": "origin",
            "access-control-allow-origin": "*" if "*" in self.origins else origin,
            "access-control-allow-methods": ", ".join((*self.methods, "OPTIONS")),
            "access-control-allow-headers": _SENT,
            "access-control-expose-headers": _SHOWN,
            "access-control-max-age": "600",
        }


async def admit(
    request: Request, platform: Platform, trigger: Row, options: Options, *, reads_body: bool
) -> None:
    """Let the request through if it has one of the keys, and does not come too often.

    Raises Rejected: 401 without a key, 404 with a wrong one (that the trigger exists is not told),
    429 for who guesses or asks too much; ClientDisconnect.
    """
    if options.keys:
        await _admit_by_key(request, platform, trigger, options, reads_body=reads_body)
    if wait := platform.rates.webhooks.take(trigger.id, time.monotonic()):
        raise too_often(wait)


async def _admit_by_key(
    request: Request, platform: Platform, trigger: Row, options: Options, *, reads_body: bool
) -> None:
    """Raises Rejected: 401, 404, 429 for who guesses; ClientDisconnect."""
    sender = counted_as(address_of(request, platform.settings.proxies))
    guesser = f"{trigger.id} {sender}"
    _may_guess(platform, guesser)
    project, keys, names = trigger.project_id, platform.keys, options.keys
    methods = await platform.database.read(
        lambda c: webhook_keys.methods(c, keys, project, names, now())
    )
    headers = dict(request.headers)
    if prove(methods, headers, b"", time.time()) is Proof.NONE:
        raise Rejected(401, {"error": "Unauthorized"})
    signed = request.scope["query_string"] if request.method == "GET" else b""
    if methods and reads_body and request.method != "GET":
        signed = await read(request, platform.settings.payload_bytes)
    _may_guess(platform, guesser)  # again: others have guessed while the body came
    if prove(methods, headers, signed, time.time()) is not Proof.GOOD:
        platform.rates.guesses.take(guesser, time.monotonic())
        raise Rejected(404, NOT_FOUND)


def _may_guess(platform: Platform, guesser: str) -> None:
    if wait := platform.rates.guesses.wait(guesser, time.monotonic()):
        raise too_often(wait)


def too_often(wait: int) -> Rejected:
    text = f"Too many requests. Try again in {wait} s."
    return Rejected(
        429, {"error": "too_many_requests", "message": text}, {"retry-after": str(wait)}
    )


def idempotency_key(request: Request) -> str | None:
    """The sender's name for this request. Raises Rejected."""
    given = request.headers.getlist("idempotency-key")
    if not given:
        return None
    key = given[0].strip()
    if len(given) > 1 or not 0 < len(key) <= _LONGEST_KEY:
        text = f"Idempotency-Key must be one text of up to {_LONGEST_KEY} characters."
        raise Rejected(400, {"error": "bad_idempotency_key", "message": text})
    return key
