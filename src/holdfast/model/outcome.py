"""How a run ended: the reason, the words for its author, and what proves it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self, cast

from holdfast.model import bodies
from holdfast.model.cut import cut_object
from holdfast.model.json import JsonObject

#: Bytes of an outcome as JSON. On a full disk it must fit into the reserve of its journal, with
#: the ends of the steps that are open.
MOST_BYTES = 48 * 1024


class Reason(StrEnum):
    """Exit reasons of runs and steps (`docs/spec/worker-protocol.md` section 6)."""

    SUCCESS = "success"
    FAIL = "fail"  # the job raised an error; the run went on to its end
    CRASH = "crash"  # the code cannot be trusted to continue
    KILL = "kill"  # a limit was reached, or a forbidden thing tried
    EXCEPTION = "exception"  # a fault outside the author's code
    CANCEL = "cancel"  # a person stopped it


class RunState(StrEnum):
    """Life of a run as the platform stores it (`docs/spec/platform.md` 1.2)."""

    AVAILABLE = "available"
    CLAIMED = "claimed"
    STARTED = "started"
    SUCCESS = "success"
    FAILED = "failed"
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    KILLED = "killed"
    EXCEPTION = "exception"
    LOST = "lost"

    @property
    def final(self) -> bool:
        return self not in {RunState.AVAILABLE, RunState.CLAIMED, RunState.STARTED}


_STATE_OF = {
    Reason.SUCCESS: RunState.SUCCESS,
    Reason.FAIL: RunState.FAILED,
    Reason.CRASH: RunState.CRASHED,
    Reason.KILL: RunState.KILLED,
    Reason.EXCEPTION: RunState.EXCEPTION,
    Reason.CANCEL: RunState.CANCELLED,
}


def state_of(reason: Reason) -> RunState:
    """The final state a platform gives a run that ended with this reason."""
    return _STATE_OF[reason]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The true, final end of a run. `evidence` holds facts only: numbers, signals, names."""

    reason: Reason
    error_type: str | None = None
    error_message: str | None = None
    evidence: JsonObject = field(default_factory=dict)

    def body(self, timestamp: str) -> bodies.Outcome:
        """OUTCOME, with texts cut to MOST_BYTES in all. `timestamp` in Unix microseconds."""
        whole: JsonObject = {
            "timestamp": timestamp,
            "reason": self.reason.value,
            "error_type": self.error_type,
            "error_message": self.error_message,
            "evidence": self.evidence,
        }
        return cast("bodies.Outcome", cut_object(whole, MOST_BYTES))

    @classmethod
    def from_json(cls, value: JsonObject) -> Self:
        evidence = value.get("evidence")
        error_type, message = value.get("error_type"), value.get("error_message")
        return cls(
            Reason(str(value["reason"])),
            None if error_type is None else str(error_type),
            None if message is None else str(message),
            evidence if isinstance(evidence, dict) else {},
        )
