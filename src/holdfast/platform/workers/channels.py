"""A worker's two channels: `worker:queue` and `run:<id>` (`docs/spec/platform.md` 4.3, 4.4)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from holdfast import log
from holdfast.model.json import Json, JsonObject
from holdfast.platform.renewal import RenewalError
from holdfast.platform.scrubbing import Scrubber
from holdfast.platform.service import Platform
from holdfast.platform.store import credentials, dataclips
from holdfast.platform.store.database import Connection, Row, Transaction, Write
from holdfast.platform.store.liveness import channel_closed
from holdfast.platform.store.logs import plain
from holdfast.platform.store.queue import Claimed, claim
from holdfast.platform.store.runs import cancel_asked, find_run
from holdfast.platform.workers import claims, events
from holdfast.platform.workers.events import Refused, Sender
from holdfast.platform.workers.plan import plan_of
from holdfast.platform.workers.registry import WorkerConnection, record_connected, record_vitals
from holdfast.protocol import messages as m
from holdfast.protocol import vitals
from holdfast.protocol.frames import Payload
from holdfast.protocol.messages import InvalidPayload
from holdfast.protocol.tokens import (
    TOLERANCE_SECONDS,
    TokenError,
    expiry_of,
    sign_run_token,
    verify_run_token,
)

UNAUTHORIZED, NOT_FOUND = "unauthorized", "not_found"
#: How often our worker tells how it is.
VITALS_SECONDS = 10


#: How to read an event, and what it does.
_WRITES: dict[str, tuple[Callable[[Payload], Any], Callable[[Transaction, Sender, Any], Json]]] = {
    m.RUN_START: (m.RunStart.from_payload, events.run_start),
    m.STEP_START: (m.StepStart.from_payload, events.step_start),
    m.STEP_COMPLETE: (m.StepComplete.from_payload, events.step_complete),
    m.RUN_COMPLETE: (m.RunComplete.from_payload, events.run_complete),
}


class JoinRefused(Exception):  # noqa: N818 - states a fact
    """The channel may not be joined; the argument is the reason for the worker."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply to an event. `document`: it goes out as a binary frame instead."""

    status: str
    response: Json = None
    document: bytes | None = None


@dataclass(slots=True)
class QueueChannel:
    """`worker:queue`: claims."""

    platform: Platform
    worker: WorkerConnection

    async def join(self, payload: Payload) -> JsonObject:
        try:
            asked = m.QueueJoin.from_payload(payload)
        except InvalidPayload as error:
            raise JoinRefused(UNAUTHORIZED) from error
        self.worker.capacity, self.worker.queues = asked.capacity, asked.queues
        self.worker.joined = True
        here = self.platform.id
        await self.platform.database.write(lambda tx: record_connected(tx, self.worker, here))
        return vitals.offer(VITALS_SECONDS)

    async def handle(self, event: str, payload: Payload) -> Answer:
        if event == vitals.VITALS:
            return await self._vitals(payload)
        if event != m.CLAIM:
            return Answer("error", {"reason": "unknown event"})
        try:
            asked = m.Claim.from_payload(payload)
        except InvalidPayload as error:
            return Answer("error", error.response)
        if asked.worker_name:
            self.worker.name = plain(asked.worker_name)[:255]
            asked = replace(asked, worker_name=self.worker.name)
        settings = self.platform.settings
        figures = self.platform.figures
        with figures.claim_seconds.time():
            taken = await self.platform.database.write(
                lambda tx: claim(tx, asked, self.worker.worker_id, settings), locks=True
            )
        figures.claims.labels("runs" if taken else "empty").inc()
        for one in taken:
            figures.wait_seconds.observe(one.waited_seconds)
        self.worker.unjoined |= {one.run_id: one.claim_id for one in taken}
        runs: list[Json] = [
            m.ClaimedRun(one.run_id, self._token(one)).to_payload() for one in taken
        ]
        return Answer("ok", {"runs": runs})

    async def _vitals(self, payload: Payload) -> Answer:
        try:
            told = vitals.read(payload)
        except InvalidPayload as error:
            return Answer("error", error.response)
        worker, here = self.worker.worker_id, self.platform.id
        await self.platform.database.write(lambda tx: record_vitals(tx, worker, here, told))
        return Answer("ok", {})

    def _token(self, claimed: Claimed) -> str:
        return sign_run_token(
            self.platform.keys.run_private,
            claimed.run_id,
            not_before=claimed.not_before,
            expires_at=claimed.expires_at,
            extra={"claim_id": claimed.claim_id},
        )

    def leave(self) -> None:
        self.worker.joined = False


@dataclass(slots=True)
class RunChannel:
    """`run:<id>`: everything about one run. Knows nothing that a rejoin would not find again."""

    platform: Platform
    worker: WorkerConnection
    run_id: str
    claim_id: str = ""
    #: When the token ends, Unix seconds. After it, the run's end may be told and nothing fetched.
    expires_at: float = 0.0
    scrubber: Scrubber = field(default_factory=Scrubber)
    #: Its end was told here: nobody asks for its channel any more.
    ended: bool = False
    #: Lists of spans are made ready one after the other, so that the last one is kept.
    _spans: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def join(self, payload: Payload) -> JsonObject:
        """Check token and claim. Raises JoinRefused."""
        token = payload.get("token") if isinstance(payload, dict) else None
        try:
            self._read_token(token if isinstance(token, str) else "")
        except TokenError as error:
            log.warn("join.refused", run=self.run_id, reason=error.message)
            raise JoinRefused(UNAUTHORIZED) from error
        database, here = self.platform.database, self.platform.id
        joined = await database.write(
            lambda tx: claims.join_claim(tx, self.run_id, self.claim_id, here)
        )
        if not joined:
            if await database.read(lambda c: find_run(c, self.run_id)) is None:
                raise JoinRefused(NOT_FOUND)
            log.warn("join.refused", run=self.run_id, reason="claim is void")
            raise JoinRefused(UNAUTHORIZED)
        self.worker.unjoined.pop(self.run_id, None)
        self.worker.runs.add(self.run_id)
        # read only now: a wish of before found no channel to go out on
        run, self.scrubber = await database.read(self._known)
        return m.Extension(
            self.platform.settings.window,
            batch_logs=True,
            idempotent=True,
            postmortem=True,
            spans=True,
            live_spans=True,
            cancel=cancel_asked(run),
        ).to_payload()

    def _read_token(self, token: str) -> None:
        """Authority is the claim, not the clock: an old token of a live claim is good (4.2)."""
        at = min(time.time(), expiry_of(token) or time.time())
        verified = verify_run_token(token, self.platform.keys.run_public, at, run_id=self.run_id)
        self.claim_id = str(verified.claims.get("claim_id"))
        self.expires_at = verified.expires_at or 0.0

    def _known(self, connection: Connection) -> tuple[Row, Scrubber]:
        """The run, and what cleans its texts: of the run, not of the socket, and rebuilt from
        what the run has fetched before.
        """
        run = find_run(connection, self.run_id)
        assert run is not None
        scrubbers = self.platform.run_scrubbers
        known = scrubbers.get(self.run_id)
        if known is None:
            made = Scrubber(credentials.bodies_had(connection, self.platform.keys, self.run_id))
            known = scrubbers.setdefault(self.run_id, made)
        return run, known

    def leave(self) -> None:
        self.worker.runs.discard(self.run_id)
        if not self.platform.workers.has_channel(self.run_id):
            self.platform.run_scrubbers.pop(self.run_id, None)
            if not self.ended:
                run_id, here = self.run_id, self.platform.id
                self.platform.database.submit(lambda tx: channel_closed(tx, run_id, here))

    async def handle(self, event: str, payload: Payload) -> Answer:
        """The reply to one event. Writes are queued before this first waits, so order holds."""
        try:
            if (work := self._write(event, payload)) is not None:
                answer = Answer("ok", await self.platform.database.ask(work))
                self.ended = self.ended or event == m.RUN_COMPLETE
                return answer
            if event == m.RUN_SPANS:
                return await self._watched(m.RunSpans.from_payload(payload))
            return await self._fetch(event, payload)
        except InvalidPayload as error:
            return await self._refused(event, error.response, str(error))
        except Refused as error:
            return await self._refused(event, error.response, error.message)

    async def _refused(self, event: str, response: JsonObject, text: str) -> Answer:
        log.warn("event.refused", run=self.run_id, event=event, why=text)
        if event in events.KEY_EVENTS:
            sender = self._sender()
            await self.platform.database.write(lambda tx: events.refuse(tx, sender, event, text))
        return Answer("error", response)

    def _sender(self) -> Sender:
        return Sender(self.run_id, self.claim_id, self.scrubber.clean)

    def _write(self, event: str, payload: Payload) -> Write[Json] | None:
        """The write an event asks for. Raises InvalidPayload."""
        sender = self._sender()
        if event in {m.RUN_LOG, m.RUN_BATCH_LOGS}:
            alone = event == m.RUN_LOG
            lines = [m.LogLine.from_line(payload)] if alone else m.batch_lines(payload)
            return lambda tx: events.log(tx, sender, lines)
        if (pair := _WRITES.get(event)) is None:
            return None
        read, apply = pair
        value = read(payload)
        return lambda tx: apply(tx, sender, value)

    async def _watched(self, told: m.RunSpans) -> Answer:
        """What a page shows of the run: cleaned beside the loop and before the writer has it."""
        sender = self._sender()
        async with self._spans:
            kept = await asyncio.to_thread(events.spans_text, sender, told)
            write = self.platform.database.ask
            return Answer("ok", await write(lambda tx: events.run_spans(tx, sender, kept)))

    async def _fetch(self, event: str, payload: Payload) -> Answer:
        """Raises Refused once the run has ended, is another claim's, or the token has."""
        database = self.platform.database
        match event:
            case m.FETCH_PLAN:
                return Answer("ok", await database.read(self._plan))
            case m.FETCH_DATACLIP:
                return Answer("ok", document=await database.read(self._dataclip))
            case m.FETCH_CREDENTIAL:
                return await self._credential(payload)
        return Answer("error", {"reason": "unknown event"})

    def _run(self, connection: Connection) -> Row:
        """The run, while this channel may read of it. Raises Refused."""
        run = find_run(connection, self.run_id)
        if run is None or run.claim_id != self.claim_id:
            raise Refused(run="no longer belongs to this claim")
        events.require_live(run)
        if time.time() >= self.expires_at + TOLERANCE_SECONDS:
            raise Refused(token="has expired")  # noqa: S106 - the field's name
        return run

    def _plan(self, connection: Connection) -> JsonObject:
        return plan_of(connection, self._run(connection).id)

    def _dataclip(self, connection: Connection) -> bytes:
        """Always the run's own input, whatever id was asked for (4.4)."""
        text = dataclips.state_text(connection, self._run(connection).dataclip_id)
        return text.encode("utf-8", "replace")

    async def _credential(self, payload: Payload) -> Answer:
        asked = payload.get("id") if isinstance(payload, dict) else None
        if not isinstance(asked, str) or not asked:
            return Answer("error", {"errors": {"id": [m.BLANK]}})
        database = self.platform.database
        try:
            row = await database.read(lambda c: self._chosen(c, asked))
            if row is not None:
                await self.platform.renewals.renew(row, self.platform.keys)
            given = await database.read(lambda c: self._given(c, asked))
        except (credentials.CredentialError, RenewalError) as error:
            return Answer("error", {"errors": {"id": [error.message]}})
        if given is None:
            return Answer("ok")
        version = given.version_id
        await database.write(lambda tx: credentials.remember_secret(tx, self.run_id, version))
        return Answer("ok", given.body)

    def _chosen(self, connection: Connection, asked: str) -> Row | None:
        return credentials.chosen_for_run(connection, self._run(connection), asked)

    def _given(self, connection: Connection, asked: str) -> credentials.Given | None:
        """The credential, which the scrubber knows before the run does; None: no keychain fits."""
        row = self._chosen(connection, asked)
        if row is None:
            return None
        given = credentials.given_to_run(connection, self.platform.keys, row)
        self.scrubber.add(given.body)
        return given


Channel = QueueChannel | RunChannel


def channel_for(platform: Platform, worker: WorkerConnection, topic: str) -> Channel | None:
    """The channel of a topic, or None if there is no such topic."""
    if topic == m.WORKER_QUEUE:
        return QueueChannel(platform, worker)
    if topic.startswith(m.RUN_TOPIC):
        return RunChannel(platform, worker, topic.removeprefix(m.RUN_TOPIC))
    return None
