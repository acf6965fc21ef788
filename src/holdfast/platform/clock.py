"""Time as the platform stores it: microseconds since 1970, UTC (`docs/spec/platform.md` 1.1)."""

from __future__ import annotations

import time
from datetime import UTC, datetime

SECOND = 1_000_000


def now() -> int:
    """The time in microseconds."""
    return time.time_ns() // 1000


def iso(microseconds: int | None) -> str | None:
    """`2026-01-01T00:00:00.000000Z`, as Lightning writes times in JSON."""
    if microseconds is None:
        return None
    moment = datetime.fromtimestamp(microseconds // SECOND, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{microseconds % SECOND:06d}Z"


def from_iso(text: str) -> int:
    """Microseconds from an ISO 8601 date or time; a time without offset is UTC.

    Raises ValueError.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.replace(microsecond=0).timestamp()) * SECOND + moment.microsecond
