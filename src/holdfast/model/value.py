"""Values that are made a hundred thousand times in a run: only the type checker freezes them.

Each field of a frozen dataclass is set by a call of its own, which makes one of five fields three
times as dear as another. Whoever sets a field of a `value` is refused by the type checker.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, cast, dataclass_transform

T = TypeVar("T", bound=type)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(kind: T) -> T:
    """A dataclass with slots, equality and a hash."""
    return cast("T", dataclass(slots=True, unsafe_hash=True)(kind))
