"""What one run may use."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Self

from holdfast.model.json import JsonObject

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Hard limits of one run; megabytes are mebibytes, as the reference counts them."""

    memory_mb: int = 500
    timeout_seconds: float = 300.0
    payload_mb: float = 10.0
    log_payload_mb: float = 1.0
    scratch_mb: int = 64
    processes: int = 64
    open_files: int = 512
    journal_mb: int = 512

    @property
    def memory_bytes(self) -> int:
        return self.memory_mb * MEBIBYTE

    @property
    def state_mb(self) -> float:
        """Largest state a step may end with: a quarter of memory (`docs/spec/runtime.md` 9.3)."""
        return self.memory_mb * 0.25

    def to_json(self) -> JsonObject:
        return asdict(self)

    @classmethod
    def from_json(cls, value: JsonObject) -> Self:
        known = {field.name for field in fields(cls)}
        return cls(**{key: item for key, item in value.items() if key in known})  # type: ignore[arg-type]
