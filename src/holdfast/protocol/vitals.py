"""How a worker is: what it tells a platform that asks for it (`docs/platform.md`).

A platform asks by `{"holdfast": {"vitals_seconds": n}}` in its reply to the join of
`worker:queue`. The worker then sends VITALS every so many seconds. No other platform gets it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

from holdfast.model.json import Json, JsonObject
from holdfast.protocol.frames import Payload
from holdfast.protocol.messages import EXTENSION, InvalidPayload

VITALS = "worker:vitals"
#: Between two of them, seconds: least and most that a worker goes by.
_SECONDS = (1.0, 3600.0)
#: Entries of a list, and characters of a text.
MOST, LONGEST = 200, 300
#: A larger number is none.
_LARGEST = 2**53


def offer(seconds: float) -> JsonObject:
    """What the reply to a join says."""
    return {EXTENSION: {"vitals_seconds": seconds}}


def offered(response: Json | bytes) -> float | None:
    """Every how many seconds the platform wants it; None: not at all."""
    said = response.get(EXTENSION) if isinstance(response, dict) else None
    seconds = _number(said.get("vitals_seconds")) if isinstance(said, dict) else None
    return None if seconds is None else min(max(_SECONDS[0], seconds), _SECONDS[1])


def _number(value: Json) -> float | int | None:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return value if good and isfinite(value) and 0 <= value <= _LARGEST else None  # type: ignore[arg-type, operator, return-value] # checked


def _yes(value: Json) -> bool | None:
    return value if isinstance(value, bool) else None


def _text(value: Json) -> str | None:
    return value[:LONGEST] if isinstance(value, str) else None


def _texts(value: Json) -> list[Json]:
    found = value if isinstance(value, list) else []
    return [text for item in found[:MOST] if (text := _text(item)) is not None]


def _numbers(value: Json) -> list[Json]:
    found = value if isinstance(value, list) else []
    return [number for item in found[:MOST] if (number := _number(item)) is not None]


def _reasons(value: Json) -> JsonObject:
    found = value if isinstance(value, dict) else {}
    return {key[:LONGEST]: _text(text) for key, text in list(found.items())[:MOST]}


#: Each member, and how it is read. Megabytes are mebibytes.
_MEMBERS: dict[str, Callable[[Json], Json]] = {
    "ready": _yes,
    "draining": _yes,
    "reasons": _texts,  # why it is not ready
    "uptime_seconds": _number,
    "processors": _number,
    "load": _numbers,  # of the machine: 1, 5 and 15 minutes
    "machine_memory_mb": _number,
    "machine_memory_free_mb": _number,
    "runs_memory_mb": _number,
    "standby_memory_mb": _number,
    "memory_budget_mb": _number,
    "disk_free_mb": _number,
    "undelivered": _number,  # journals with something that the platform does not have
    "oldest_undelivered_seconds": _number,
    "isolation": _text,  # none, basic, strong, full
    "memory_means": _text,  # what holds the memory limit
    "layers": _texts,
    "missing_layers": _reasons,  # with what stands against each
    "egress": _text,
    "zygotes": _texts,  # the adaptors of each
    "no_zygotes": _text,  # why there can be none
    "node": _text,
    "adaptors": _texts,
    "adaptor_count": _number,
}
NAMES = tuple(_MEMBERS)


def read(payload: Payload) -> JsonObject:
    """What a platform keeps of it: every member, each of its kind or null. InvalidPayload."""
    if not isinstance(payload, dict):
        raise InvalidPayload({"payload": ["is not an object"]})
    return {name: reads(payload.get(name)) for name, reads in _MEMBERS.items()}
