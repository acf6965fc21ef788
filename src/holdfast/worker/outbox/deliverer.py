"""The shell around Outbox: reads a journal, sends events, keeps the mark."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial

from holdfast import faults, log
from holdfast.engine import postmortem
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
from holdfast.protocol.client import NotJoined
from holdfast.protocol.frames import Raw, Reply
from holdfast.protocol.messages import RUN_BATCH_LOGS, Extension
from holdfast.worker.config import WorkerConfig
from holdfast.worker.connection import AnswerLost, Channel
from holdfast.worker.outbox import events
from holdfast.worker.outbox.outbox import Outbox, Shipment
from holdfast.worker.run_folders import keep_notes, kept_notes

#: Room for the array, refs, topic and event name around a payload.
_FRAME_OVERHEAD = 1024


@dataclass
class Deliverer:
    """Delivers one run's journal until its outcome is accepted or given up.

    The owner moves `durable` (records up to there may be delivered; None: all) and calls `poke`
    when something changed.
    """

    config: WorkerConfig
    folder: RunFolder
    run_id: str
    channel: Channel
    durable: int | None = 0
    given_up: str | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _postmortem: JsonObject | None = None

    def poke(self) -> None:
        """Look again: a record is durable, an answer came, the channel changed."""
        self._changed.set()

    def give_up(self, why: str) -> None:
        """The platform will not have this run: stop trying."""
        self.given_up = why
        self.poke()

    async def deliver(self) -> DeliveryState:
        """COMPLETE when the platform has accepted the outcome, REFUSED when it will not.

        Raises JournalDamaged when the journal ends without an outcome although no shim has it.
        """
        with Mark(self.folder.mark) as mark:
            position = mark.position
            if position.delivery is not DeliveryState.OPEN:
                return position.delivery
            outbox = Outbox(position)
            outbox.know(kept_notes(self.folder))
            with JournalReader(
                self.folder.journal, after=position.sequence, offset=position.offset
            ) as reader:
                while True:
                    self._changed.clear()
                    now = self.channel.connection.now()
                    await self._feed(outbox, reader, now)
                    # Before anything is sent that follows from it, what was refused is kept: a
                    # successor that did not know would send again what others already passed.
                    self._keep_mark(outbox, mark)
                    self._send(outbox, now)
                    if outbox.notes:  # of what was too large to be sent
                        self._keep_mark(outbox, mark)
                    if outbox.finished:
                        return DeliveryState.COMPLETE
                    if self.given_up is not None or outbox.given_up is not None:
                        self.given_up = self.given_up or outbox.given_up
                        return DeliveryState.REFUSED
                    if self.durable is None and outbox.idle and reader.tail_bytes:
                        message = f"The journal is damaged behind record {reader.sequence}."
                        raise JournalDamaged(message)
                    await self._wait(outbox, now)

    async def _feed(self, outbox: Outbox, reader: JournalReader, now: float) -> None:
        while outbox.hungry():
            fed = 0
            for record in reader.read(self.durable):
                outbox.feed(record, now)
                fed += 1
                if record.kind == Kind.OUTCOME:
                    await self._look_back(record)
                if not outbox.hungry():
                    break
            if not fed:
                return
            await asyncio.sleep(0)  # others want to work too

    async def _look_back(self, outcome: Record) -> None:
        """Have the post-mortem ready for the outcome of a run that did not succeed."""
        channel = self.channel
        wanted = not channel.joined or Extension.from_response(channel.response).postmortem
        if wanted and outcome.json().get("reason") != Reason.SUCCESS:
            # In a thread: the journal may be long, and other runs deliver meanwhile.
            self._postmortem = await asyncio.to_thread(self._examined, outcome.sequence)

    def _examined(self, last: int) -> JsonObject | None:
        try:
            with JournalReader(self.folder.journal) as reader:
                return postmortem.build(reader.read(last))
        except (OSError, ValueError) as error:
            log.warn("postmortem.failed", run=self.run_id, why=error)
            return None

    def _send(self, outbox: Outbox, now: float) -> None:
        channel = self.channel
        if not channel.joined:
            return
        offer = Extension.from_response(channel.response)
        examined = self._postmortem if offer.postmortem else None
        config = self.config
        outbox.adapt(
            offer,
            batch=config.batch_logs,
            limit=config.batch_limit,
            batch_seconds=config.batch_ms / 1000,
        )
        while (shipment := outbox.next(now)) is not None:
            payload = self._payload(outbox, shipment, examined)
            if payload is None:
                outbox.not_sent(shipment)
                continue
            faults.point("agent.send")
            try:
                answer = channel.push(shipment.name, payload, timeout=config.message_seconds)
            except NotJoined:
                outbox.not_sent(shipment)
                return
            answer.add_done_callback(partial(self._landed, outbox, shipment))

    def _payload(
        self, outbox: Outbox, shipment: Shipment, examined: JsonObject | None
    ) -> Raw | None:
        """What is sent; None if the event cannot be sent so and has been made smaller."""
        identities = outbox.identities
        if shipment.name == RUN_BATCH_LOGS:
            payload = events.render_batch(self.run_id, shipment.events, identities=identities)
        else:
            (event,) = shipment.events
            try:
                payload = events.render(
                    self.run_id, event, self._read, identities=identities, postmortem=examined
                )
            except events.Unreadable as error:
                outbox.unreadable(shipment.items[0], error.part, str(error))
                return None
        text = payload.text
        limit = self.config.frame_bytes - _FRAME_OVERHEAD
        # UTF-8 takes at most three bytes for a character of the text.
        if len(text) * 3 <= limit or len(text.encode("utf-8", "surrogatepass")) <= limit:
            return payload
        for item in shipment.items:
            if len(shipment.items) > 1:
                item.alone = True
            else:
                outbox.too_large(item)
        return None

    def _read(self, document: JsonObject) -> str:
        """The JSON text of a document of this run."""
        inline = document.get("inline")
        if isinstance(inline, str):
            return inline
        path = blob_path(self.folder.path, str(document.get("blob")))
        return path.read_text(encoding="utf-8", errors="surrogatepass")

    def _landed(self, outbox: Outbox, shipment: Shipment, answer: asyncio.Future[Reply]) -> None:
        now = self.channel.connection.now()
        if answer.cancelled():
            outbox.not_sent(shipment)
        elif isinstance(error := answer.exception(), AnswerLost):
            outbox.unanswered(shipment, error.loss, now)
        else:
            faults.point("agent.accepted")
            outbox.answered(shipment, answer.result(), now)
        self.poke()

    def _keep_mark(self, outbox: Outbox, mark: Mark) -> None:
        keep_notes(self.folder, outbox.notes)  # before the mark passes what they tell of
        for note in outbox.notes:
            log.warn("delivery.incomplete", run=self.run_id, **note)
        outbox.notes.clear()
        if outbox.position != mark.position:
            mark.move(outbox.position, sync=outbox.finished)

    async def _wait(self, outbox: Outbox, now: float) -> None:
        wake = outbox.wake_at(now)
        delay = None if wake is None else max(0.001, wake - now)
        try:
            async with asyncio.timeout(delay):
                await self._changed.wait()
        except TimeoutError:
            return
