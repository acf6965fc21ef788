"""What is known about how a run ended: facts only, gathered by the shim."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Self

from holdfast.model.json import JsonObject


class Stop(StrEnum):
    """Why the shim itself ended a run process. No value: it did not."""

    TIMEOUT = "timeout"  # the shim's clock
    CANCEL = "cancel"  # somebody asked for it
    MEMORY = "memory"  # sampled above the limit, or the kernel said so
    PROTOCOL = "protocol"  # frames that our run process never sends
    JOURNAL = "journal"  # more output than the run's journal may hold
    SCRATCH = "scratch"  # more files than the scratch folder may hold
    LINGERED = "lingered"  # it reported its end but did not exit
    SETUP = "setup"  # the run process could not be started
    STORAGE = "storage"  # the journal could not be written


class Loss(StrEnum):
    """What took the shim away before it could write the outcome. No value: it wrote it."""

    SHIM = "shim"  # the shim died alone
    HOST = "host"  # the machine was started again


@dataclass(frozen=True, slots=True)
class Memory:
    """Counters of the run's memory, in bytes. `means` says who counted."""

    limit: int = 0
    peak: int = 0
    means: str = "none"
    oom_kills: int = 0
    #: V8's own limit in the run process.
    heap_limit: int = 0
    #: V8's heap as its fatal report told, 0 when there was none.
    heap: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where the run was: its last PHASE record and the step that was open."""

    phase: str | None = None
    step: str | None = None
    operation: int | None = None
    name: str | None = None  # of the step, as its author knows it


@dataclass(frozen=True, slots=True)
class Evidence:
    """Facts about an end. `said_*` are the run process's own words; all else is measured."""

    stop: Stop | None = None
    stop_detail: str | None = None
    loss: Loss | None = None
    #: Which process's end is described: `compiler` or `engine`.
    process: str | None = None
    exit_code: int | None = None
    signal: str | None = None
    #: Whether the engine had said that it waits for its run; None where nobody listened.
    ready: bool | None = None
    memory: Memory = field(default_factory=Memory)
    place: Place = field(default_factory=Place)
    timeout_ms: int | None = None
    duration_ms: int | None = None
    cpu_ms: int | None = None
    #: RESULT: reason, error type, error message.
    said_result: JsonObject | None = None
    #: RUN_ERROR: error type, error message, severity.
    said_error: JsonObject | None = None
    #: The last bytes the processes wrote to their standard error.
    stderr_tail: str = ""
    layers: tuple[str, ...] = ()
    #: Further particulars, such as the size of the largest embedded literal.
    notes: JsonObject = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """The facts that are there, without the empty ones."""
        whole: JsonObject = asdict(self)
        whole["layers"] = list(self.layers)
        return {key: value for key, value in whole.items() if value not in (None, "", [], {})}

    @classmethod
    def from_json(cls, value: JsonObject) -> Self:
        """Read what `to_json` gave; unknown fields are left out."""
        known = {item.name for item in fields(cls)}
        given: dict[str, object] = {key: item for key, item in value.items() if key in known}
        if "stop" in given:
            given["stop"] = Stop(str(given["stop"]))
        if "loss" in given:
            given["loss"] = Loss(str(given["loss"]))
        memory, place, layers = value.get("memory"), value.get("place"), value.get("layers")
        given["memory"] = Memory(**memory) if isinstance(memory, dict) else Memory()  # type: ignore[arg-type]  # our own numbers
        given["place"] = Place(**place) if isinstance(place, dict) else Place()  # type: ignore[arg-type]  # our own words
        given["layers"] = tuple(str(x) for x in layers) if isinstance(layers, list) else ()
        return cls(**given)  # type: ignore[arg-type]  # written by to_json
