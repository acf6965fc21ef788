"""What one run may use."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Self

from holdfast.model.json import JsonObject

MEBIBYTE = 1024 * 1024
_LEAST_STATE_MB = 50
#: A run without a time limit: ten years.
NO_TIMEOUT_SECONDS = 10.0 * 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Limits:
    """Hard limits of one run; megabytes are mebibytes, as the reference counts them.

    Without `overhead_mb`, `memory_mb` is all that the run's processes may use together, and part
    of it is kept back for what is no JavaScript heap. With it, `memory_mb` is the heap, as in the
    reference, and the overhead comes on top.
    """

    memory_mb: int = 500
    overhead_mb: int = 0
    state_limit_mb: float | None = None
    timeout_seconds: float = 300.0
    payload_mb: float = 10.0
    log_payload_mb: float = 1.0
    scratch_mb: int = 64
    processes: int = 64
    open_files: int = 512
    journal_mb: int = 512

    @property
    def memory_bytes(self) -> int:
        """All that the run's processes may use."""
        return (self.memory_mb + self.overhead_mb) * MEBIBYTE

    @property
    def timed(self) -> bool:
        """Whether there is a time limit at all."""
        return self.timeout_seconds < NO_TIMEOUT_SECONDS

    @property
    def state_mb(self) -> float:
        """Largest state a step may end with. The rule of engine-multi 1.13: the memory limit."""
        return self.state_limit_mb or max(_LEAST_STATE_MB, self.memory_mb)

    def to_json(self) -> JsonObject:
        return asdict(self)

    @classmethod
    def from_json(cls, value: JsonObject) -> Self:
        known = {field.name for field in fields(cls)}
        return cls(**{key: item for key, item in value.items() if key in known})  # type: ignore[arg-type]
