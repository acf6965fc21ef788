"""A notice: something that happened, for whoever watches a topic."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened, for whoever watches `topic`; sent after the commit."""

    topic: str
    what: str
    data: dict[str, Any] = field(default_factory=dict)
