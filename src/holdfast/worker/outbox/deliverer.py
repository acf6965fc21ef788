"""The shell around Outbox: reads a journal, sends events, keeps the mark."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from holdfast import faults, log
from holdfast.engine import postmortem, spans
from holdfast.journal import (
    DeliveryState,
    JournalDamaged,
    JournalReader,
    Mark,
    Record,
    RunFolder,
    blob_path,
)
from holdfast.model.json import JsonObject
from holdfast.model.outcome import Reason
from holdfast.model.record import Kind
from holdfast.protocol.client import Loss, NotJoined
from holdfast.protocol.frames import Raw, Reply, dumps
from holdfast.protocol.messages import RUN_BATCH_LOGS, RUN_SPANS, Extension
from holdfast.worker.config import WorkerConfig
from holdfast.worker.connection import AnswerLost, Channel
from holdfast.worker.outbox import events, settling
from holdfast.worker.outbox.clean import clean_json
from holdfast.worker.outbox.known import RENAMED
from holdfast.worker.outbox.notes import NoteBudget
from holdfast.worker.outbox.outbox import Outbox
from holdfast.worker.outbox.scrubbing import Scrubbing
from holdfast.worker.outbox.shipment import Shipment
from holdfast.worker.outbox.watched import Watched
from holdfast.worker.run_folders import keep_notes, kept_notes

#: Room for the array, refs, topic and event name around a payload.
_FRAME_OVERHEAD = 1024
#: While a channel is lost, its platform may be one that takes everything.
_ANY = Extension(postmortem=True, spans=True)
#: From this size an event is rendered in a thread: other runs deliver meanwhile.
_LARGE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Ahead:
    """A large event that is rendered before its turn, for this offer."""

    event: events.Event
    offer: Extension
    native: bool
    payload: asyncio.Task[Raw | None]


@dataclass(eq=False)
class Deliverer:
    """Delivers one run's journal until its outcome is accepted or given up.

    The owner moves `durable` (records up to there may be delivered; None: all) and calls `poke`
    when something changed. `resumed`: an earlier process may have sent some of it.
    """

    config: WorkerConfig
    folder: RunFolder
    run_id: str
    channel: Channel
    scrubbing: Scrubbing
    resumed: bool = False
    durable: int | None = 0
    given_up: str | None = None
    reason: str | None = None  # how the run ended, once that is known
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _postmortem: JsonObject | None = None
    #: What was read of operations and requests. None: the reading did not begin at the start.
    _seen: Watched | None = None
    _spans: JsonObject | None = None
    _budget: NoteBudget = field(default_factory=NoteBudget)
    _ahead: _Ahead | None = None

    def poke(self) -> None:
        """Wake the delivery: a record is durable, an answer came, or the channel changed."""
        self._changed.set()

    def give_up(self, why: str) -> None:
        """The platform refuses this run: stop trying."""
        self.given_up = why
        self.poke()

    async def deliver(self) -> DeliveryState:
        """COMPLETE when the platform has accepted the outcome, REFUSED if it refuses it.

        Raises JournalDamaged when the journal ends without an outcome although no shim has it.
        """
        with Mark(self.folder.mark) as mark:
            position = mark.position
            if position.delivery.over:
                return position.delivery
            outbox = Outbox(position, self.resumed)
            outbox.know(kept_notes(self.folder))
            self.resumed = True  # for the next attempt, after an error of the disk
            try:
                wanted = self._offer().spans and not position.sequence
                self._seen = Watched() if wanted else None
                with JournalReader(
                    self.folder.journal, after=position.sequence, offset=position.offset
                ) as reader:
                    return await self._drive(outbox, reader, mark)
            finally:
                self.channel.connection.isolation.clear(self)

    async def _drive(self, outbox: Outbox, reader: JournalReader, mark: Mark) -> DeliveryState:
        while True:
            self._changed.clear()
            now = self.channel.connection.now()
            whole = self.durable is None  # then the reader has seen all there is
            await self._feed(outbox, reader, now)
            # What was refused is kept before anything is sent that follows from it. A
            # successor that did not know would send again what others already passed.
            self._keep_mark(outbox, mark)
            await self._send(outbox, mark, now)
            self._tell(now)
            if outbox.notes:  # they came meanwhile: what was left unsent goes in the next turn
                self._keep_mark(outbox, mark)
                self.poke()
            self._expect_end(outbox, mark)
            if outbox.finished:
                return DeliveryState.COMPLETE
            if self.given_up is not None or outbox.given_up is not None:
                self.given_up = self.given_up or outbox.given_up
                return DeliveryState.REFUSED
            if whole and outbox.idle and reader.tail_bytes:
                message = f"The journal is damaged behind record {reader.sequence}."
                raise JournalDamaged(message)
            await self._wait(outbox, now)

    def _expect_end(self, outbox: Outbox, mark: Mark) -> None:
        """Bring to disk, while answers are under way, what must be there before the outcome goes.

        A power cut may take back what is not synced. Then a start would go again, which opens a
        finished run anew (`docs/spec/lightning-answers.md` 6).
        """
        open_yet = mark.position.delivery is DeliveryState.OPEN
        if open_yet and not outbox.idempotent and outbox.only_the_end_is_left():
            outbox.ending()
            self._keep_mark(outbox, mark, sync=True)

    async def _feed(self, outbox: Outbox, reader: JournalReader, now: float) -> None:
        while outbox.hungry():
            fed = 0
            for record in reader.read(self.durable):
                outbox.feed(record, now)
                if self._seen is not None:
                    self._seen.take(record)
                fed += 1
                if record.kind == Kind.OUTCOME:
                    await self._look_back(record)
                if not outbox.hungry():
                    break
            if not fed:
                return
            await asyncio.sleep(0)  # others want to work too

    async def _look_back(self, outcome: Record) -> None:
        """Have ready what goes with the outcome: spans; a post-mortem if it is no success."""
        self.reason = str(outcome.json().get("reason"))
        offer = self._offer()
        # In a thread: the journal may be long, and other runs deliver meanwhile.
        if offer.postmortem and self.reason != Reason.SUCCESS:
            self._postmortem = await asyncio.to_thread(self._read_back, outcome, postmortem.build)
        if offer.spans and self._seen is None:
            self._spans = await asyncio.to_thread(self._read_back, outcome, spans.build)
        elif offer.spans and self._seen is not None:
            self._spans = self._seen.seen.build()

    def _offer(self) -> Extension:
        """What the platform takes besides Lightning's protocol."""
        channel = self.channel
        return Extension.from_response(channel.response) if channel.joined else _ANY

    def _read_back(
        self, outcome: Record, build: Callable[[Iterable[Record]], JsonObject]
    ) -> JsonObject | None:
        try:
            with JournalReader(self.folder.journal) as reader:
                return build(reader.read(outcome.sequence))
        except (OSError, ValueError) as error:
            log.warn("postmortem.failed", run=self.run_id, why=error)
            return None

    async def _send(self, outbox: Outbox, mark: Mark, now: float) -> None:
        channel, config = self.channel, self.config
        offer = Extension.from_response(channel.response)
        if not self._masks(offer):
            await self.scrubbing.renew(channel, config.message_seconds)
        if not (channel.joined and self._masks(offer)):
            return  # lost, and perhaps joined anew meanwhile
        connection, isolation = channel.connection, channel.connection.isolation
        outbox.adapt(
            offer,
            batch=(config.batch_logs or offer.batch_logs) and not connection.no_batches,
            limit=config.batch_limit,
            batch_seconds=config.batch_ms / 1000,
        )
        outbox.native = not (config.text_outputs or connection.no_json)
        while not outbox.notes and (shipment := outbox.next(now)) is not None:
            if not isolation.may_send(self, self.poke, suspect=shipment.suspect):
                outbox.not_sent(shipment)
                return
            payload = await self._payload(outbox, shipment, offer)
            if payload is None or outbox.behind:
                outbox.not_sent(shipment)
            elif not self._masks(offer):
                outbox.not_sent(shipment)
                self.poke()
                return
            elif not self._go(outbox, mark, shipment, payload, synced=not offer.idempotent):
                return
        self._render_ahead(outbox, offer)

    def _render_ahead(self, outbox: Outbox, offer: Extension) -> None:
        """Begin with a large event while the platform works at those before it."""
        event = next((event for event in outbox.soon() if event.bytes >= _LARGE_BYTES), None)
        if event is None or (self._ahead is not None and self._ahead.event is event):
            return
        native = outbox.native
        work = asyncio.to_thread(self._rendered, [event], offer, native=native)
        task = asyncio.create_task(work)
        task.add_done_callback(lambda task: task.cancelled() or task.exception())  # told below
        self._ahead = _Ahead(event, offer, native, task)

    def _tell(self, now: float) -> None:
        """Tell what is known of operations and requests by now, to a platform that takes it."""
        if self._seen is None or not self._watched:
            return
        if (told := self._seen.due(now)) is None:
            return
        text = clean_json(events.dumps_any({"run_id": self.run_id, "spans": told}))
        if len(text) * 3 <= self.config.frame_bytes - _FRAME_OVERHEAD:
            payload, seconds = Raw(text, clean=True), self.config.message_seconds
            self.channel.push(RUN_SPANS, payload, lambda _answer: None, timeout=seconds)

    @property
    def _watched(self) -> bool:
        """Whether it may be told now what the run does."""
        channel = self.channel
        offer = Extension.from_response(channel.response)
        return channel.joined and offer.live_spans and self._masks(offer)

    def _masks(self, offer: Extension) -> bool:
        """Whether the platform has, since this join, the secrets by which it masks lines."""
        return offer.idempotent or not self.scrubbing.needed(self.channel)

    def _go(
        self, outbox: Outbox, mark: Mark, shipment: Shipment, payload: Raw, *, synced: bool
    ) -> bool:
        """Send it; False if the channel is not joined any more."""
        faults.point("agent.send")
        outbox.going(shipment)
        if outbox.position.delivery is not mark.position.delivery:
            self._keep_mark(outbox, mark, sync=synced)  # see `_expect_end`
        try:
            landed = partial(self._landed, outbox, shipment)
            seconds = self.config.message_seconds
            self.channel.push(shipment.name, payload, landed, timeout=seconds)
        except NotJoined:
            outbox.not_sent(shipment)
            return False
        self.channel.connection.isolation.sent()
        return True

    async def _payload(self, outbox: Outbox, shipment: Shipment, offer: Extension) -> Raw | None:
        """What is sent; None if the event could not be sent and was made smaller."""
        if shipment.probe:
            return Raw(dumps(settling.question(self.run_id, shipment.events[0])))
        batch = shipment.name == RUN_BATCH_LOGS
        try:
            if shipment.bytes < _LARGE_BYTES:
                payload = self._rendered(shipment.events, offer, native=outbox.native, batch=batch)
            elif (ahead := self._taken(shipment.events[0], offer, outbox.native)) is not None:
                payload = await ahead
            else:
                payload = await asyncio.to_thread(
                    self._rendered, shipment.events, offer, native=outbox.native, batch=batch
                )
        except events.Unreadable as error:
            outbox.unreadable(shipment.items[0], error.part, str(error))
            return None
        if payload is not None:
            return payload
        if len(shipment.items) > 1:
            outbox.one_by_one(shipment)
        else:
            outbox.too_large(shipment.items[0])
        return None

    def _taken(
        self, event: events.Event, offer: Extension, native: bool
    ) -> asyncio.Task[Raw | None] | None:
        """What was rendered ahead, if it is just this."""
        ahead = self._ahead
        if ahead is None or ahead.event is not event:
            return None
        self._ahead = None
        return ahead.payload if (ahead.offer, ahead.native) == (offer, native) else None

    def _rendered(
        self, sent: list[events.Event], offer: Extension, *, native: bool, batch: bool = False
    ) -> Raw | None:
        """The payload; None if its frame would be too large. Unreadable."""
        if batch:
            payload = events.render_batch(self.run_id, sent)
        else:
            (event,) = sent
            payload = events.render(
                self.run_id, event, self._read, native=native,
                postmortem=self._postmortem if offer.postmortem else None,
                spans=self._spans if offer.spans else None,
            )  # fmt: skip
        text, limit = payload.text, self.config.frame_bytes - _FRAME_OVERHEAD
        # UTF-8 takes at most three bytes for a character of the text.
        fits = len(text) * 3 <= limit or len(text.encode()) <= limit
        return payload if fits else None

    def _read(self, document: JsonObject) -> str:
        """The JSON text of a document of this run."""
        inline = document.get("inline")
        if isinstance(inline, str):
            return inline
        path = blob_path(self.folder.path, str(document.get("blob")))
        return path.read_text(encoding="utf-8", errors="surrogatepass")

    def _landed(self, outbox: Outbox, shipment: Shipment, answer: Reply | AnswerLost) -> None:
        connection = self.channel.connection
        now, isolation = connection.now(), connection.isolation
        loss: Loss | None = None
        if isinstance(answer, AnswerLost):
            loss = answer.loss
            outbox.unanswered(shipment, loss, now)
        else:
            faults.point("agent.accepted")
            if answer.ok:
                self.channel.progressed()
            outbox.answered(shipment, answer, now)
        if loss in (Loss.FRAME, Loss.CONNECTION) or isolation.accused(self):
            if outbox.suspects:
                isolation.accuse(self, lambda: self.channel.joined)
            else:
                isolation.clear(self)
        isolation.landed()
        self._after(outbox)
        if outbox.has_work():
            self.poke()

    def _after(self, outbox: Outbox) -> None:
        """Do to the channel and the connection what an answer, or its loss, requires."""
        if outbox.batch_crashed:
            outbox.batch_crashed = False
            self.channel.connection.no_batches = True
            log.warn("delivery.batches_not_known", run=self.run_id)
        if outbox.native_refused:
            outbox.native_refused = False
            self.channel.connection.no_json = True
            log.warn("delivery.json_not_known", run=self.run_id)
        if outbox.rejoin:
            outbox.rejoin = False
            self.channel.rejoin()

    def _keep_mark(self, outbox: Outbox, mark: Mark, *, sync: bool = False) -> None:
        notes = self._budget.admitted(outbox.notes)
        if outbox.finished:
            notes += self._budget.totals()
        keep_notes(self.folder, notes)  # before the mark passes what they tell of
        for note in notes:
            if note.get("what") == RENAMED:
                step, dataclip, there = note["step_id"], note["dataclip"], note["as"]
                log.info(
                    "delivery.renamed", run=self.run_id, step_id=step, dataclip=dataclip, to=there
                )
            else:
                log.warn("delivery.incomplete", run=self.run_id, **note)
        outbox.notes.clear()
        if outbox.position != mark.position:
            mark.move(outbox.position, sync=sync or (outbox.finished and outbox.idempotent))

    async def _wait(self, outbox: Outbox, now: float) -> None:
        told = self._seen.wake_at() if self._seen is not None and self._watched else None
        wakes = [at for at in (outbox.wake_at(now), told) if at is not None]
        wake = min(wakes, default=None)
        delay = None if wake is None else max(0.001, wake - now)
        try:
            async with asyncio.timeout(delay):
                await self._changed.wait()
        except TimeoutError:
            return
