"""What a platform knows of one run: refused steps, outputs with another id, missing outputs.

Later events name only what was acknowledged (`docs/spec/lightning-answers.md` 13, rules 5 and 8):
the platform refuses an event that names an unknown step or dataclip. Pure; a new process learns
all this from notes in the journal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from holdfast.model.json import JsonObject
from holdfast.protocol.messages import (
    STEP_COMPLETE,
    STEP_START,
    LogLine,
    RunComplete,
    StepComplete,
    StepStart,
)
from holdfast.worker.outbox.events import Event

#: A note that says under which id an output is known: `dataclip`, and `as` (null: not at all).
RENAMED = "renamed"
REFUSED = "refused"
NO_ANSWER = "no answer"


@dataclass(slots=True)
class Known:
    """Exceptions only: everything else is known under the name that the journal gives it."""

    unknown_steps: set[str] = field(default_factory=set)  # whose start the platform refused
    clips: dict[str, str | None] = field(default_factory=dict)  # id in the journal -> there

    @property
    def anything(self) -> bool:
        """Whether there is any exception."""
        return bool(self.unknown_steps or self.clips)

    def learn(self, notes: Iterable[JsonObject]) -> None:
        """Read the notes of this run."""
        for note in notes:
            what, event = note.get("what"), note.get("event")
            if what == REFUSED and event == STEP_START and note.get("why") != NO_ANSWER:
                self.unknown_steps.add(str(note.get("step_id")))
            elif what in (RENAMED, REFUSED) and event == STEP_COMPLETE and "dataclip" in note:
                there = note.get("as")
                self.clips[str(note["dataclip"])] = there if isinstance(there, str) else None

    def clip(self, name: str | None) -> str | None:
        """The id that a dataclip of the journal has on the platform; None if it is not there."""
        return name if name is None else self.clips.get(name, name)

    def settled(self, event: Event) -> bool:
        """Whether a note of an earlier process says what became of this event."""
        body = event.body
        if isinstance(body, StepComplete):
            return body.output_dataclip_id in self.clips
        return isinstance(body, StepStart) and body.step_id in self.unknown_steps

    def named(self, event: Event) -> Event:
        """The event, changed so that it names only what the platform has."""
        body = event.body
        if isinstance(body, LogLine) and body.step_id in self.unknown_steps:
            return event.leaving_out("step_id")
        if isinstance(body, StepStart) and body.input_dataclip_id in self.clips:
            clip = self.clip(body.input_dataclip_id)
            return replace(event, body=replace(body, input_dataclip_id=clip))
        if isinstance(body, RunComplete) and body.final_dataclip_id in self.clips:
            clip = self.clip(body.final_dataclip_id)
            return replace(event, body=replace(body, final_dataclip_id=clip))
        return event

    def lacks_step(self, event: Event) -> bool:
        """Whether the event ends a step that the platform does not know: it would be refused."""
        step = getattr(event.body, "step_id", None)
        return event.name == STEP_COMPLETE and step in self.unknown_steps
