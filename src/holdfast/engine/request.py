"""What an agent asks a shim to run. Standard library only; see `docs/engine-protocol.md`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from holdfast.engine.config import EngineError
from holdfast.model.json import JsonObject
from holdfast.model.limits import Limits
from holdfast.paths import absolute

#: Below this Node itself has no room.
MIN_MEMORY_MB = 64


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One run. `credentials` (step id to configuration) never touch a disk.

    `directory` becomes absolute: the shim has another current folder.
    """

    directory: Path
    run_id: str
    limits: Limits = field(default_factory=Limits)
    credentials: JsonObject = field(default_factory=dict, repr=False)
    options: JsonObject = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "directory", absolute(self.directory))

    def encode(self) -> bytes:
        """The body of a LAUNCH frame."""
        whole = {
            "directory": str(self.directory),
            "run_id": self.run_id,
            "limits": self.limits.to_json(),
            "credentials": self.credentials,
            "options": self.options,
        }
        return json.dumps(whole, ensure_ascii=False).encode("utf-8", "surrogatepass")

    @classmethod
    def decode(cls, body: bytes) -> RunRequest:
        """Raises EngineError when the request makes no sense."""
        try:
            value = cast("JsonObject", json.loads(body))
            limits = Limits.from_json(cast("JsonObject", value["limits"]))
            request = cls(
                Path(str(value["directory"])),
                str(value["run_id"]),
                limits,
                cast("JsonObject", value.get("credentials") or {}),
                cast("JsonObject", value.get("options") or {}),
            )
        except (ValueError, KeyError, TypeError) as error:
            message = f"The request to run is not understood: {type(error).__name__}: {error}"
            raise EngineError(message) from error
        if limits.memory_mb + limits.overhead_mb < MIN_MEMORY_MB:
            message = f"A memory limit of {limits.memory_mb} MB is too small for any run."
            raise EngineError(message, fix=f"Give the run at least {MIN_MEMORY_MB} MB.")
        if limits.timeout_seconds <= 0:
            message = f"A time limit of {limits.timeout_seconds} s leaves no time to run."
            raise EngineError(message, fix="Give the run a time limit above 0.")
        return request
