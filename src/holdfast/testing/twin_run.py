"""One run in the twin of a platform: its database rows, and all events that came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from holdfast.model.json import Json, JsonObject
from holdfast.protocol import messages as m

#: States that a run does not leave by itself.
FINAL = frozenset({"success", "fail", "crash", "kill", "cancel", "exception", "lost"})


@dataclass(slots=True)
class StepRow:
    """A row of the platform's table of steps."""

    job_id: str
    input: str | None = None  # id of the dataclip
    output: str | None = None
    reason: str | None = None  # None: not finished
    error_type: str | None = None


@dataclass(slots=True)
class LineRow:
    """A row of the platform's table of log lines."""

    message: Any
    step_id: str | None
    level: str
    timestamp: str
    masked: bool = True  # whether the channel knew all secrets of the run when the line came


@dataclass(slots=True)
class TwinRun:
    """One run as the platform knows it."""

    id: str
    plan: JsonObject
    input: bytes
    credentials: Mapping[str, Json | bytes]
    state: str = "available"
    joins: int = 0
    claims: int = 0
    token: str = ""
    claimed_at: float = 0.0
    ended_at: float = 0.0  # when its end was accepted, on the same steady clock
    joined: bool = False  # by whoever holds the present claim
    started_at: str | None = None
    finished: bool = False  # finished_at is set
    wiped: bool = False  # the input was read once, and is not kept
    events: list[tuple[str, Any]] = field(default_factory=list)  # accepted, in order
    refused: list[tuple[str, Any, Any]] = field(default_factory=list)
    crashed: list[tuple[str, Any]] = field(default_factory=list)  # events the channel died of
    struck: list[tuple[str, str]] = field(default_factory=list)  # ordered faults it met
    steps: dict[str, StepRow] = field(default_factory=dict)
    clips: dict[str, Any] = field(default_factory=dict)  # body by id; None: wiped
    lines: list[LineRow] = field(default_factory=list)
    log_ids: set[str] = field(default_factory=set)
    outcome: JsonObject | None = None
    webhook_response: Json = None  # what the caller of a webhook was answered

    @property
    def final(self) -> bool:
        return self.state in FINAL

    @property
    def keeps_data(self) -> bool:
        """Whether the project keeps dataclips."""
        options = self.plan.get("options")
        return not (isinstance(options, dict) and options.get("output_dataclips") is False)

    @property
    def job_ids(self) -> set[str]:
        jobs = self.plan.get("jobs")
        listed = jobs if isinstance(jobs, list) else []
        return {str(job.get("id")) for job in listed if isinstance(job, dict)}

    def lose(self) -> None:
        """The platform's janitor gives the run up: it and its open steps are lost."""
        self.state, self.finished = "lost", True
        for step in self.steps.values():
            step.reason = step.reason or "lost"

    def names(self, *, logs: bool = False) -> list[str]:
        """Names of the accepted events in order."""
        return [name for name, _ in self.events if logs or name != m.RUN_LOG]

    @property
    def logs(self) -> list[str]:
        """The texts of all log lines in order."""
        lines = [body for name, body in self.events if name == m.RUN_LOG]
        return [" ".join(map(str, line["message"])) for line in lines]


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """An event is answered with an error; the argument is the response."""


class Crash(Exception):  # noqa: N818 - named for what happens
    """The process behind the channel dies of an event; the argument says why."""
