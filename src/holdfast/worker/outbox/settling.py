"""Events whose answer was lost, on a platform that is not idempotent.

Such an event may be stored. Most events that are sent twice crash the channel or damage what is
stored. How each kind is settled: `docs/spec/lightning-answers.md` 13, rule 3. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from uuid import UUID

from holdfast.model.json import JsonObject
from holdfast.protocol.frames import Reply
from holdfast.protocol.messages import RunStart, StepComplete, StepStart
from holdfast.worker.outbox.events import Event, output_id

#: A repeated start gets a later time, by less than this, in microseconds.
_SPREAD_US = 1000


class Probe(Enum):
    """What a question about a step has shown."""

    WANTED = "wanted"  # not asked since the last loss
    KNOWN = "known"  # the platform has the step
    UNKNOWN = "unknown"  # it has not
    INCONCLUSIVE = "inconclusive"  # the answer says neither


@dataclass(slots=True, eq=False)
class Item:
    """One event on its way.

    `doubt`: it was sent and not answered, so it must be settled before it is sent again. `maybe`:
    after its loss it may be stored (a crash stores nothing).
    """

    event: Event
    since: float = 0.0  # when it was read
    accepted: bool = False
    alone: bool = False  # was in a batch that failed: goes by itself now
    suspect: bool = False  # its frame may have ended a connection
    doubt: bool = False
    maybe: bool = False
    probe: Probe = Probe.WANTED
    clip: str | None = None  # id of its output in the journal
    timeouts: int = 0
    losses: int = 0
    crashes: int = 0
    questions: int = 0  # about it, of which the channel crashed
    refusals: int = 0

    @property
    def batches(self) -> bool:
        return self.event.is_log and not self.alone and not self.event.without


def again(event: Event, fresh: Callable[[], str]) -> Event:
    """The event for a second try: without anything that must be unique.

    An output gets a new id. A start gets a new time, since one that changes nothing crashes.
    """
    body = event.body
    if isinstance(body, StepComplete) and output_id(event) is not None:
        return replace(event, body=replace(body, output_dataclip_id=fresh()))
    if isinstance(body, RunStart):
        # Random: a successor does not know which times were sent before.
        later = int(body.timestamp) + 1 + UUID(fresh()).int % _SPREAD_US
        return replace(event, body=replace(body, timestamp=str(later)))
    return event


def question(run_id: str, event: Event) -> JsonObject:
    """The payload of a `run:log` that is always refused; the refusal tells of the step.

    It names the run like any line, although the topic does: the reference's mock looks there.
    """
    body = event.body
    assert isinstance(body, StepStart)
    return {"run_id": run_id, "step_id": body.step_id, "timestamp": body.timestamp}


def probed(reply: Reply) -> Probe:
    """What the answer to a question says. A line without a message is always refused; if the step
    is unknown, the refusal says that, too."""
    text = str(reply.response)
    if reply.ok:
        return Probe.INCONCLUSIVE
    if "step_id" in text:
        return Probe.UNKNOWN
    return Probe.KNOWN if "message" in text else Probe.INCONCLUSIVE


def crashes_if_stored(event: Event) -> bool:
    """Whether a repeat of the event, as it is sent, may crash because it is stored."""
    return isinstance(event.body, RunStart | StepStart)
