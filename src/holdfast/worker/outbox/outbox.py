"""Delivery of one run's events: order, window, batches, and a rule for every kind of answer.

Pure: it is told what was read from the journal and what became of each shipment, and says what to
send next and how far the mark may move. `docs/reliability.md` lists the rules in words.

| answer | rule |
|---|---|
| ok | accepted |
| error that means "have it already" | accepted |
| error to a batch | its lines are sent one by one (W23) |
| error to an event with parts that can be left out | sent again without them |
| other error to an event | noted as refused; never blocks the outcome (W11-W13) |
| other error to the outcome | sent `FINAL_REFUSALS` times, then given up with a note (W14) |
| no answer in time | sent again, `TIMEOUTS` times in all; the outcome for ever |
| connection lost | sent again after the rejoin (W9) |
| channel crashed | sent again; the first unanswered event, after `CRASHES` of them, is noted |
| channel closed | sent again after the rejoin |

Only log lines are sent ahead of answers, and only behind log lines. What comes behind any other
event waits for its fate, for that may change it (lines of a step that was refused go without the
step); and any other event waits for that of the lines before it. So nothing can come late but a
refused line among other lines, whose timestamps tell its place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from holdfast.journal import DeliveryState, Position, Record
from holdfast.model.json import Json, JsonObject
from holdfast.model.record import Kind
from holdfast.protocol.backoff import Backoff
from holdfast.protocol.client import Loss
from holdfast.protocol.frames import Reply
from holdfast.protocol.messages import (
    RUN_BATCH_LOGS,
    STEP_START,
    Extension,
    LogLine,
    StepStart,
    means_known,
)
from holdfast.worker.outbox import events
from holdfast.worker.outbox.events import Event

NO_ANSWER = "no answer"
TIMEOUTS = 5
CRASHES = 5
FINAL_REFUSALS = 5
#: A frame of this size that was in flight at so many lost connections is suspected and shrunk.
LOSSES = 3
SUSPECT_BYTES = 1_000_000
#: Bytes that may be unanswered; a larger event goes alone.
BYTES_IN_FLIGHT = 2_000_000
#: Events read ahead of their outbox.
READ_AHEAD = 512
#: Bytes of log lines read ahead: every run of a worker may have so many in memory.
READ_AHEAD_BYTES = 4_000_000


@dataclass(slots=True, eq=False)
class Item:
    """One event on its way."""

    event: Event
    since: float = 0.0  # when it was read
    flying: bool = False
    accepted: bool = False
    alone: bool = False  # was in a refused batch: goes by itself now
    timeouts: int = 0
    losses: int = 0
    crashes: int = 0
    refusals: int = 0

    @property
    def batches(self) -> bool:
        return self.event.is_log and not self.alone and not self.event.without


@dataclass(frozen=True, slots=True, eq=False)
class Shipment:
    """What goes into one message: one event, or several log lines."""

    name: str
    items: tuple[Item, ...]

    @property
    def events(self) -> list[Event]:
        return [item.event for item in self.items]

    @property
    def bytes(self) -> int:
        return sum(item.event.bytes for item in self.items)


@dataclass(frozen=True, slots=True)
class _Source:
    """A record that the mark has not passed yet.

    A barrier is passed only when the outcome was accepted: the result stands in front of the
    outcome and is needed again to make its events.
    """

    sequence: int
    end: int
    events: int
    barrier: bool = False


@dataclass(slots=True)
class Outbox:
    """The state of one run's outbox. Times are seconds of any steady clock."""

    position: Position
    window: int = 1
    batch_limit: int = 1
    batch_seconds: float = 0.0
    identities: bool = False  # log lines carry their identity
    finished: bool = False  # the outcome was accepted
    given_up: str | None = None  # why the platform will not take the outcome
    notes: list[JsonObject] = field(default_factory=list)  # for the journal; the shell takes them
    not_before: float = 0.0
    unknown_steps: set[str] = field(default_factory=set)  # whose start the platform refused
    _queue: deque[Item] = field(default_factory=deque)
    _queued: int = 0  # bytes of the log lines in it
    _flying: list[Shipment] = field(default_factory=list)
    _sources: deque[_Source] = field(default_factory=deque)
    _skip: int = 0  # events behind the mark that were accepted before this process
    _held: int = 0  # accepted events behind the position
    _result: JsonObject | None = None
    _resend: bool = False
    _backoff: Backoff = field(default_factory=lambda: Backoff(0.5, 30.0))

    def __post_init__(self) -> None:
        self._skip = self._held = self.position.part

    def adapt(self, offer: Extension, *, batch: bool, limit: int, batch_seconds: float) -> None:
        """Use what the platform offers now (an offer may change at a rejoin)."""
        self.window = offer.window
        self.batch_limit = limit if batch or offer.batch_logs else 1
        self.batch_seconds = batch_seconds
        self.identities = offer.idempotent

    def know(self, notes: Iterable[JsonObject]) -> None:
        """Take over what an earlier process noted of this run."""
        for note in notes:
            refused = note.get("what") == "refused" and note.get("why") != NO_ANSWER
            if refused and note.get("event") == STEP_START:
                self.unknown_steps.add(str(note.get("step_id")))

    # From the journal

    def hungry(self) -> bool:
        """Whether further records may be fed."""
        room = len(self._queue) < READ_AHEAD and self._queued < READ_AHEAD_BYTES
        return room and not self.finished

    @property
    def idle(self) -> bool:
        """Whether everything that was fed has been accepted."""
        return not self._queue

    def feed(self, record: Record, now: float) -> None:
        """The next record of the journal."""
        made: list[Event] = []

        def tell(why: str) -> None:
            self.notes.append({"what": "unreadable", "why": f"record {record.sequence}: {why}"})

        try:
            if record.kind == Kind.RESULT:
                self._result = events.body_of(record, tell)
            else:
                made = events.events_of(record, self._result, tell)
        except (ValueError, KeyError) as error:
            tell(f"it cannot be read: {type(error).__name__}: {error}")
        barrier = record.kind == Kind.RESULT
        self._sources.append(_Source(record.sequence, record.end, len(made), barrier))
        for event in made:
            if self._skip:
                self._skip -= 1
            else:
                self._queue.append(Item(self._as_known(event), now))
                self._queued += event.size
        self._advance()

    # To the platform

    def next(self, now: float) -> Shipment | None:
        """What to send now, or None. Call again until it returns None; then wait."""
        if now < self.not_before or self.given_up is not None:
            return None
        if self._resend and self._flying:
            return None  # first the fate of all that is out, then again from the front
        self._resend = False
        if len(self._flying) >= self.window:
            return None
        shipment = self._shipment(now)
        if shipment is None or (self._flying and not self._may_follow(shipment)):
            return None
        load = sum(other.bytes for other in self._flying)
        if self._flying and load + shipment.bytes > BYTES_IN_FLIGHT:
            return None
        for item in shipment.items:
            item.flying = True
        self._flying.append(shipment)
        return shipment

    def _may_follow(self, shipment: Shipment) -> bool:
        """Whether it may go while others are unanswered: lines behind lines."""
        return all(other.items[0].event.is_log for other in (*self._flying, shipment))

    def wake_at(self, now: float) -> float | None:
        """When `next` may have something that it has not now, if time alone can bring it."""
        if now < self.not_before:
            return self.not_before
        first = next(self._waiting(), None)
        if first is not None and now < first.since + self.batch_seconds:
            return first.since + self.batch_seconds
        return None

    def _waiting(self) -> Iterator[Item]:
        return (item for item in self._queue if not item.flying and not item.accepted)

    def _shipment(self, now: float) -> Shipment | None:
        waiting = self._waiting()
        first = next(waiting, None)
        if first is None:
            return None
        batch, size = [first], first.event.bytes
        if self.batch_limit > 1 and first.batches:
            full = False
            for item in waiting:
                size += item.event.bytes
                if not item.batches or len(batch) >= self.batch_limit or size > BYTES_IN_FLIGHT:
                    full = True
                    break
                batch.append(item)
            if not full and now < first.since + self.batch_seconds:
                return None
        name = RUN_BATCH_LOGS if len(batch) > 1 else first.event.name
        return Shipment(name, tuple(batch))

    # What became of it

    def answered(self, shipment: Shipment, reply: Reply, now: float) -> None:
        """The platform answered."""
        self._landed(shipment)
        if reply.ok or means_known(reply.response):
            self._backoff.reset()
            self._accept(shipment)
        elif len(shipment.items) > 1:
            for item in shipment.items:
                item.alone = True
            self._resend = True
        else:
            self._refused(shipment.items[0], reply.response, now)

    def unanswered(self, shipment: Shipment, loss: Loss | None, now: float) -> None:
        """The answer will not come: a channel or connection was lost, or (None) time ran out."""
        self._landed(shipment)
        self._resend = True
        for item in shipment.items:
            if loss is None:
                item.timeouts += 1
                if item.timeouts >= TIMEOUTS and not item.event.is_final:
                    self._give_up_on(item, NO_ANSWER)
            elif loss is Loss.CONNECTION:
                item.losses += 1
                if item.losses >= LOSSES and item.event.bytes >= SUSPECT_BYTES:
                    self.too_large(item)
            elif loss is Loss.ERROR and item is self._head():
                # What is answered in order crashes at its first unanswered event, if at any.
                item.crashes += 1
                if item.crashes >= CRASHES:
                    self._crashed(item)
        self.not_before = now + (self._backoff.next(lambda: 0.5) if loss is None else 0.0)
        self._settle()

    def _head(self) -> Item | None:
        return next((item for item in self._queue if not item.accepted), None)

    def _landed(self, shipment: Shipment) -> None:
        self._flying.remove(shipment)
        for item in shipment.items:
            item.flying = False

    def not_sent(self, shipment: Shipment) -> None:
        """The shipment could not be sent at all (no channel now)."""
        self._landed(shipment)
        self._resend = True

    def too_large(self, item: Item) -> None:
        """The event's frame is larger than the platform takes: send it without its large part."""
        less = events.smaller(item.event)
        if less is None:
            self._give_up_on(item, "too large for the platform")
            return
        self._note("shrunk", item.event, "its frame was too large for the platform")
        item.event, item.losses = less, 0

    def unreadable(self, item: Item, part: str, why: str) -> None:
        """A document of the event cannot be sent: it goes without this part."""
        self._note("unreadable", item.event, why)
        item.event = item.event.leaving_out(part)

    def _crashed(self, item: Item) -> None:
        item.crashes = 0
        less = events.alternatives(item.event, "step_id dataclip")
        if less is not None:
            item.event = less
        elif item.event.is_final:
            self._refuse_final(item, "the platform's channel crashes on it")
        else:
            self._give_up_on(item, "the platform's channel crashes on it")

    def _refused(self, item: Item, response: Json | bytes, now: float) -> None:
        less = events.alternatives(item.event, response)
        why = str(response)[:500]
        if less is not None:
            self._note("refused in part", item.event, why)
            item.event = less
        elif item.event.is_final:
            item.refusals += 1
            self.not_before = now + self._backoff.next(lambda: 0.5)
            if item.refusals >= FINAL_REFUSALS:
                self._refuse_final(item, why)
        else:
            self._give_up_on(item, why)
        self._settle()

    def _refuse_final(self, item: Item, why: str) -> None:
        self._note("refused", item.event, why)
        self.given_up = why

    def _give_up_on(self, item: Item, why: str) -> None:
        if item.event.is_final:
            self._refuse_final(item, why)
            return
        self._note("refused", item.event, why)
        item.accepted = True
        if isinstance(item.event.body, StepStart) and why != NO_ANSWER:
            self.unknown_steps.add(item.event.body.step_id)
            for other in self._queue:
                other.event = self._as_known(other.event)

    def _as_known(self, event: Event) -> Event:
        """The event without a step that the platform does not know."""
        unknown = isinstance(event.body, LogLine) and event.body.step_id in self.unknown_steps
        return event.leaving_out("step_id") if unknown else event

    def _note(self, what: str, event: Event, why: str) -> None:
        note: JsonObject = {"what": what, "event": event.name, "why": why}
        step = getattr(event.body, "step_id", None)
        if step is not None:
            note["step_id"] = step
        self.notes.append(note)

    # The mark

    def _accept(self, shipment: Shipment) -> None:
        for item in shipment.items:
            item.accepted = True
        self._settle()

    def _settle(self) -> None:
        """Take accepted events off the front and move the position behind them."""
        while self._queue and self._queue[0].accepted:
            item = self._queue.popleft()
            self._queued -= item.event.size
            self._held += 1
            self.finished = self.finished or item.event.is_final
        self._advance()

    def _advance(self) -> None:
        sequence, offset = self.position.sequence, self.position.offset
        while self._sources:
            source = self._sources[0]
            if self._held < source.events or (source.barrier and not self.finished):
                break
            self._sources.popleft()
            self._held -= source.events
            sequence, offset = source.sequence, source.end
        state = DeliveryState.COMPLETE if self.finished else DeliveryState.OPEN
        self.position = Position(sequence, offset, self._held, state)
