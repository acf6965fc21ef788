"""Decides what is sent of one run: order, window, batches, and a rule for every kind of answer.

Pure. Its input is what was read from the journal and what happened to each shipment. Its output is
what to send next and how far the mark may move. `docs/reliability.md` lists the rules in words.

To settle an event: its answer was lost, so it may be stored. An idempotent platform gets the same
event again; for others `holdfast.worker.outbox.settling` has a rule for each kind.
What may leave while others are unanswered, says `holdfast.worker.outbox.order`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import islice
from uuid import uuid4

from holdfast.journal import DeliveryState, Position, Record
from holdfast.model.json import Json, JsonObject
from holdfast.model.record import Kind
from holdfast.model.refusal import words_of
from holdfast.protocol.backoff import Backoff
from holdfast.protocol.client import Loss
from holdfast.protocol.frames import Reply
from holdfast.protocol.messages import (
    RUN_BATCH_LOGS,
    RUN_LOG,
    STEP_COMPLETE,
    Extension,
    StepComplete,
    StepStart,
    means_known,
)
from holdfast.worker.outbox import events, order, settling
from holdfast.worker.outbox.known import NO_ANSWER, REFUSED, RENAMED, Known
from holdfast.worker.outbox.settling import Item, Probe
from holdfast.worker.outbox.shipment import Shipment, Source

TIMEOUTS = 5
CRASHES = 5
FINAL_REFUSALS = 5
#: If an event that may be stored crashes the channel, it is probably stored, and not at fault.
STORED_CRASHES = 2
#: How often a step is asked for, if the question crashes the channel.
QUESTIONS = 3
#: A frame of this size is suspected after it was in flight at so many lost connections.
LOSSES = 3
SUSPECT_BYTES = 1_000_000
#: Log lines, or batches of them, under way on a platform that offers no window of its own.
PLAIN_WINDOW = 256
#: Bytes that may be unanswered; a larger event goes alone.
BYTES_IN_FLIGHT = 2_000_000
#: Events read ahead.
READ_AHEAD = 512
#: Bytes of log lines read ahead: every run of a worker may have so many in memory.
READ_AHEAD_BYTES = 4_000_000
NO_STEP = "the platform does not know its step"
ENDED_BEFORE = "the platform had ended this run before: it counts as lost there, or is another's"


@dataclass(slots=True)
class Outbox:
    """The state of one run's delivery. Times are seconds of any steady clock.

    `resumed`: an earlier process may have sent what is fed first.
    """

    position: Position
    resumed: bool = False
    window: int = 1
    batch_limit: int = 1
    batch_seconds: float = 0.0
    batches: bool = False  # also of one line
    idempotent: bool = False  # a repeat does no harm
    native: bool = False  # outputs go as JSON values; the shell renders them so
    finished: bool = False  # the outcome was accepted
    given_up: str | None = None  # why the platform will not take the outcome
    batch_crashed: bool = False  # the platform does not know batches; the shell takes it
    native_refused: bool = False  # it wants them as text; so too
    rejoin: bool = False  # the channel must be joined anew before anything is sent; so too
    notes: list[JsonObject] = field(default_factory=list)  # for the journal; the shell takes them
    not_before: float = 0.0
    behind: bool = False  # what was sent must go again: all behind it waits
    known: Known = field(default_factory=Known)
    fresh: Callable[[], str] = lambda: str(uuid4())  # ids of dataclips that are sent again
    _queue: deque[Item] = field(default_factory=deque)  # to be sent
    _sent: deque[Item] = field(default_factory=deque)  # and not yet accepted, or not in order
    _queued: int = 0  # bytes of the log lines in both
    _flying: list[Shipment] = field(default_factory=list)
    _bytes: int = 0  # of what is flying
    _full: bool = False  # as much is flying as may
    _sources: deque[Source] = field(default_factory=deque)
    _skip: int = 0  # events behind the mark that were accepted before this process
    _held: int = 0  # accepted events behind the position
    _result: JsonObject | None = None
    _backoff: Backoff = field(default_factory=lambda: Backoff(0.5, 30.0))

    def __post_init__(self) -> None:
        self._skip = self._held = self.position.part

    def adapt(self, offer: Extension, *, batch: bool, limit: int, batch_seconds: float) -> None:
        """Use what the platform offers now (an offer may change at a rejoin)."""
        self.idempotent = offer.idempotent
        self.window = offer.window if offer.idempotent else max(offer.window, PLAIN_WINDOW)
        self.batches = batch or offer.batch_logs
        self.batch_limit = limit if self.batches else 1
        self.batch_seconds = batch_seconds

    def know(self, notes: Iterable[JsonObject]) -> None:
        """Read the notes that an earlier process made of this run."""
        self.known.learn(notes)

    # From the journal

    def hungry(self) -> bool:
        """Whether further records may be fed."""
        room = len(self._queue) < READ_AHEAD and self._queued < READ_AHEAD_BYTES
        return room and not self.finished

    @property
    def idle(self) -> bool:
        """Whether everything that was fed has been accepted."""
        return not self._queue and not self._sent

    @property
    def suspects(self) -> bool:
        """Whether any event may have ended a connection."""
        return any(item.suspect for item in (*self._sent, *self._queue))

    def feed(self, record: Record, now: float) -> None:
        """The next record of the journal."""
        made: list[events.Event] = []

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
        self._sources.append(Source(record.sequence, record.end, len(made), barrier))
        for event in made:
            if self._skip:
                self._skip -= 1
            else:
                self._queue.append(self._item(event, now))
                self._queued += event.size
        self._advance()

    def _item(self, event: events.Event, now: float) -> Item:
        sent = self.position.delivery is DeliveryState.ENDING if event.is_final else self.resumed
        clip = event.body.output_dataclip_id if isinstance(event.body, StepComplete) else None
        return Item(event, now, self.known.settled(event), doubt=sent, maybe=sent, clip=clip)

    # To the platform

    def next(self, now: float) -> Shipment | None:
        """What to send now, or None. Call again until it returns None; then wait."""
        self._full = len(self._flying) >= self.window
        if self._full or now < self.not_before or self.given_up is not None:
            return None
        if self.behind:
            if self._flying:
                return None  # first the fate of all that is out, then again from the front
            self.behind = False
            self._queue.extendleft(item for item in reversed(self._sent) if not item.accepted)
            self._sent.clear()
        shipment = self._shipment(now)
        if shipment is None:
            return None
        if self._flying:
            self._full = self._bytes + shipment.bytes > BYTES_IN_FLIGHT
            if self._full or not order.may_follow(
                shipment, self._flying, idempotent=self.idempotent
            ):
                return None
        self._flying.append(shipment)
        self._bytes += shipment.bytes
        for _ in shipment.items:
            self._sent.append(self._queue.popleft())
        return shipment

    def only_the_end_is_left(self) -> bool:
        """Whether the outcome is next, once what is under way is answered."""
        waits = len(self._queue) == 1 and self._queue[0].event.is_final
        return waits and bool(self._flying) and not self.behind

    def ending(self) -> None:
        """The outcome is about to be sent: a successor must know that it may be stored."""
        self.position = replace(self.position, delivery=DeliveryState.ENDING)

    def going(self, shipment: Shipment) -> None:
        """It is about to be sent."""
        if shipment.is_final:
            self.ending()

    def has_work(self) -> bool:
        """After an answer: whether there is enough to do for another turn.

        While all that may be under way is, half of it is waited for: else each answer would cost
        a turn of its own.
        """
        if self.behind or self.notes or not self._flying:
            return True
        if self._full:
            few = len(self._flying) <= self.window // 2
            return few and self._bytes <= BYTES_IN_FLIGHT // 2
        return bool(self._queue) and not order.waits_for_all(self._queue[0])

    def soon(self) -> list[events.Event]:
        """Events that go next, as they stand now."""
        return [item.event for item in islice(self._queue, 16)]

    def wake_at(self, now: float) -> float | None:
        """The time at which `next` may have something new, if only time has to pass; else None."""
        if now < self.not_before:
            return self.not_before
        if self._queue and now < self._queue[0].since + self.batch_seconds:
            return self._queue[0].since + self.batch_seconds
        return None

    def _shipment(self, now: float) -> Shipment | None:
        first = self._first()
        if first is None:
            return None
        if self.batches and first.batches:
            return self._batch(now)
        if first.doubt and not self.idempotent and not first.event.is_log:
            if isinstance(first.event.body, StepStart) and first.probe is Probe.WANTED:
                return Shipment(RUN_LOG, (first,), probe=True)
            first.event = settling.again(first.event, self.fresh)
        return Shipment(first.event.name, (first,))

    def _first(self) -> Item | None:
        """The first item to be sent; items that cannot be sent at all are skipped."""
        while self._queue:
            first = self._queue[0]
            if not first.accepted:
                if not self.known.anything:
                    return first
                if not self.known.lacks_step(first.event):
                    first.event = self.known.named(first.event)
                    return first
                self._give_up_on(first, NO_STEP)
            self._sent.append(self._queue.popleft())
            self._settle()
        return None

    def _batch(self, now: float) -> Shipment | None:
        """A batch of log lines; None while more may come."""
        first = self._queue[0]
        batch, size, full = [first], first.event.bytes, False
        for item in islice(self._queue, 1, None):
            size += item.event.bytes
            if self.known.anything:
                item.event = self.known.named(item.event)
            if not item.batches or len(batch) >= self.batch_limit or size > BYTES_IN_FLIGHT:
                full = True
                break
            batch.append(item)
        if not full and now < first.since + self.batch_seconds:
            return None
        return Shipment(RUN_BATCH_LOGS, tuple(batch))

    # What became of it

    def answered(self, shipment: Shipment, reply: Reply, now: float) -> None:
        """The platform answered."""
        self._landed(shipment)
        item = shipment.items[0]
        if not (reply.ok or shipment.probe) and any(map(self._is_void, shipment.items)):
            pass  # it goes again
        elif shipment.probe:
            self._probed(item, reply)
        elif reply.ok:
            self._backoff.reset()
            self._accept(shipment)
        elif means_known(reply.response):
            if item.event.is_final and not item.doubt:
                self._refuse_final(item, ENDED_BEFORE)
            self._accept(shipment)
        elif len(shipment.items) > 1 or shipment.name == RUN_BATCH_LOGS:
            self.one_by_one(shipment)
        else:
            self._refused(item, reply.response, now)
        if not all(item.accepted for item in shipment.items):
            self.behind = True

    def _is_void(self, item: Item) -> bool:
        """Whether a refusal of it says nothing: see `order`."""
        if item.event.step_id in self.known.unknown_steps:
            return not item.event.without
        return order.waits_for_start(item, self._head())

    def _probed(self, item: Item, reply: Reply) -> None:
        """The answer to a question about a step says whether the platform has it."""
        item.probe = settling.probed(reply)
        if item.probe is Probe.KNOWN:
            item.accepted = True
        elif item.probe is Probe.UNKNOWN:
            item.doubt = item.maybe = False
            self._nothing_else_was_sent()
        self._settle()

    def _nothing_else_was_sent(self) -> None:
        """An event that an earlier process never sent is not stored, nor is any later one."""
        if self.resumed:
            self.resumed = False
            for item in self._queue:
                if not item.event.is_final:
                    item.doubt = item.maybe = False

    def unanswered(self, shipment: Shipment, loss: Loss | None, now: float) -> None:
        """The answer will not come: a channel or connection was lost, or (None) time ran out."""
        self._landed(shipment)
        self.behind = True
        if loss is None and not self.idempotent:
            self.rejoin = True  # its message may still wait there: never two copies of an event
        for item in shipment.items:
            self._lost(item, loss, shipment)
        self.not_before = now + (self._backoff.next(lambda: 0.5) if loss is None else 0.0)
        self._settle()

    def _lost(self, item: Item, loss: Loss | None, shipment: Shipment) -> None:
        if not shipment.probe:
            item.doubt = True
            item.maybe = item.maybe or loss is not Loss.ERROR
            item.probe = Probe.WANTED
        if loss is None:
            item.timeouts, item.suspect = item.timeouts + 1, False
            if item.timeouts >= TIMEOUTS and not item.event.is_final:
                self._give_up_on(item, NO_ANSWER)
        elif loss is Loss.FRAME:
            self._suspected(item)
        elif loss is Loss.CONNECTION:
            item.losses += 1
            if item.losses >= LOSSES and item.event.bytes >= SUSPECT_BYTES:
                self._suspected(item)
        elif loss is Loss.ERROR and item is self._head():
            # If answers come in order, the first unanswered event crashed the channel.
            self._crashed(item, shipment)

    def _suspected(self, item: Item) -> None:
        """Its frame may have ended the connection: next it is sent alone, then with less in it."""
        if not item.suspect:
            item.suspect = item.alone = True
            return
        item.losses, item.suspect = 0, False
        if item.event.bytes >= SUSPECT_BYTES:
            self.too_large(item)
        else:
            self._simpler(item, "the platform ends the connection at it")

    def _crashed(self, item: Item, shipment: Shipment) -> None:
        if shipment.probe:
            item.questions += 1
            if item.questions >= QUESTIONS:
                item.probe = Probe.INCONCLUSIVE
            return
        item.crashes += 1
        if shipment.name == RUN_BATCH_LOGS:
            item.crashes = 0
            self.batch_crashed = True
            self.one_by_one(shipment)
        elif self._may_be_stored(item) and settling.crashes_if_stored(item.event):
            if item.crashes >= STORED_CRASHES or item.probe is Probe.INCONCLUSIVE:
                item.accepted = True
        elif item.crashes >= CRASHES:
            item.crashes = 0
            self._simpler(item, "the platform's channel crashes on it")

    def _may_be_stored(self, item: Item) -> bool:
        """Whether the event may have crashed because it is stored: then it is not at fault."""
        return item.maybe and not self.idempotent

    def _head(self) -> Item | None:
        return next((item for item in self._sent if not item.accepted), None)

    def _landed(self, shipment: Shipment) -> None:
        self._flying.remove(shipment)
        self._bytes -= shipment.bytes

    @staticmethod
    def one_by_one(shipment: Shipment) -> None:
        """Send each line of a batch by itself."""
        for item in shipment.items:
            item.alone = True

    def not_sent(self, shipment: Shipment) -> None:
        """The shipment could not be sent at all (no channel now)."""
        self._landed(shipment)
        self.behind = True

    def too_large(self, item: Item) -> None:
        """The event's frame is larger than the platform takes: send it without its large part."""
        why = "its frame was too large for the platform"
        self._reduce(item, events.smaller(item.event), "shrunk", why)

    def unreadable(self, item: Item, part: str, why: str) -> None:
        """A document of the event cannot be sent: send the event without it."""
        self._note("unreadable", item, why)
        item.event = item.event.leaving_out(part)

    def _simpler(self, item: Item, why: str) -> None:
        """The platform refuses the event as it is: send it with less in it."""
        if self._may_be_stored(item) and item.event.name == STEP_COMPLETE:
            self._give_up_on(item, f"{why}; it may be stored")  # with less, its output is lost
            return
        self._reduce(item, events.simpler(item.event), "simplified", why)

    def _reduce(self, item: Item, less: events.Event | None, what: str, why: str) -> None:
        if less is None:
            self._give_up_on(item, why)
        else:
            self._note(what, item, why)
            item.event = less

    def _refused(self, item: Item, response: Json | bytes, now: float) -> None:
        item.suspect = False
        if self.native and events.output_id(item.event) is not None and "clip" in str(response):
            self.native, self.native_refused = False, True  # it goes again, as text
            return
        less = events.alternatives(item.event, response)
        why = words_of(response)[:500]
        if less is not None:
            self._note("refused in part", item, why)
            item.event = less
        elif item.event.is_final:
            item.refusals += 1
            self.not_before = now + self._backoff.next(lambda: 0.5)
            if item.refusals >= FINAL_REFUSALS:
                item.refusals = 0
                self._simpler(item, why)
        else:
            self._give_up_on(item, why)
        self._settle()

    def _refuse_final(self, item: Item, why: str) -> None:
        self._note(REFUSED, item, why)
        self.given_up = why

    def _give_up_on(self, item: Item, why: str) -> None:
        if item.event.is_final:
            self._refuse_final(item, why)
            return
        self._note(REFUSED, item, why)
        item.accepted = True
        if isinstance(item.event.body, StepStart) and why != NO_ANSWER:
            self.known.unknown_steps.add(item.event.body.step_id)
        if item.clip is not None:
            self.known.clips[item.clip] = None

    def _note(self, what: str, item: Item, why: str) -> None:
        note: JsonObject = {"what": what, "event": item.event.name, "why": why}
        step = getattr(item.event.body, "step_id", None)
        if step is not None:
            note["step_id"] = step
        if item.clip is not None:
            note["dataclip"] = item.clip
        self.notes.append(note)

    # The mark

    def _accept(self, shipment: Shipment) -> None:
        for item in shipment.items:
            item.accepted, item.suspect = True, False
            there = events.output_id(item.event)
            if item.clip is not None and there != self.known.clip(item.clip):
                self.known.clips[item.clip] = there
                self._note(RENAMED, item, "its output is known to the platform so")
                self.notes[-1]["as"] = there
        self._settle()

    def _settle(self) -> None:
        """Take accepted events off the front and move the position behind them."""
        while self._sent and self._sent[0].accepted:
            item = self._sent.popleft()
            self._queued -= item.event.size
            self._held += 1
            self.finished = self.finished or (item.event.is_final and self.given_up is None)
        self._advance()

    def _advance(self) -> None:
        at = self.position
        sequence, offset = at.sequence, at.offset
        while self._sources:
            source = self._sources[0]
            if self._held < source.events or (source.barrier and not self.finished):
                break
            self._sources.popleft()
            self._held -= source.events
            sequence, offset = source.sequence, source.end
        state = DeliveryState.COMPLETE if self.finished else at.delivery
        if (sequence, self._held, state) != (at.sequence, at.part, at.delivery):
            self.position = Position(sequence, offset, self._held, state)
