"""What a rule of alerts may say: whom to tell, of which events, and how many at once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from holdfast.platform.access.problems import AccessError
from holdfast.platform.secrets.oauth import endpoint_problem
from holdfast.platform.store.alerts import Event

#: What a rule may ask for, and what it tells where it asks for nothing.
EVENTS = tuple(event.value for event in Event if event is not Event.TEST)
USUAL = (Event.FIRST_FAILURE.value, Event.RECOVERY.value, Event.LOST.value)
_MEMBERS = {"webhook", "mail", "events", "queue_seconds", "digest_minutes"}
#: Of the address forms of RFC 5321 the one that people have: nothing that a mail server rewrites.
_MAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-][\w.-]{0,189}")
_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class AlertRule:
    """`target`: the whole address, a secret; `shown`: what people may see of it."""

    kind: str
    target: str
    shown: str
    events: tuple[str, ...]
    queue_seconds: int
    digest_minutes: int

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> Self:
        """From `webhook` or `mail`, `events`, `queue_seconds`, `digest_minutes`.

        Raises AccessError.
        """
        if unknown := set(asked) - _MEMBERS:
            message = f"{min(unknown)!r} is not one of {', '.join(sorted(_MEMBERS))}"
            raise AccessError(message)
        return cls(
            *_target(asked),
            _events(asked),
            _number(asked, "queue_seconds", 300, least=1, most=_DAY * 60),
            _number(asked, "digest_minutes", 0, least=0, most=7 * _DAY),
        )

    def values(self) -> dict[str, Any]:
        """What the table has of it, without the secret."""
        return {
            "kind": self.kind,
            "shown": self.shown,
            "events": json.dumps(self.events),
            "queue_seconds": self.queue_seconds,
            "digest_minutes": self.digest_minutes,
        }


def _target(asked: Mapping[str, Any]) -> tuple[str, str, str]:
    """Kind, whole address, and what is shown of it. Raises AccessError."""
    if ("webhook" in asked) == ("mail" in asked):
        message = "give either webhook or mail"
        raise AccessError(message)
    kind = "mail" if "mail" in asked else "webhook"
    address = asked[kind]
    if not isinstance(address, str) or not address.strip():
        message = f"{kind} must be text"
        raise AccessError(message)
    if kind == "mail":
        if not _MAIL.fullmatch(address):
            message = "mail must be an address like somebody@example.org"
            raise AccessError(message)
        return kind, address, address
    if len(address) > 2000 or (problem := endpoint_problem(address)) is not None:
        message = f"webhook {problem if len(address) <= 2000 else 'is too long'}"
        raise AccessError(message)
    parts = urlsplit(address)
    host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    return kind, address, f"{parts.scheme}://{host}/***"[:255]


def _events(asked: Mapping[str, Any]) -> tuple[str, ...]:
    """Raises AccessError."""
    events = asked.get("events", list(USUAL))
    if not isinstance(events, list) or not all(isinstance(item, str) for item in events):
        message = "events must be a list of texts"
        raise AccessError(message)
    if not events or set(events) - set(EVENTS):
        message = f"events must be some of {', '.join(EVENTS)}"
        raise AccessError(message)
    return tuple(event for event in EVENTS if event in events)


def _number(asked: Mapping[str, Any], name: str, usual: int, *, least: int, most: int) -> int:
    """Raises AccessError."""
    value = asked.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        message = f"{name} must be a whole number from {least} to {most}"
        raise AccessError(message)
    return value
