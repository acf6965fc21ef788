"""A twin of a Lightning platform in memory: a small real websocket server that records all.

As strict as Lightning where that matters to a worker: events that are repeated, refer to unknown
steps or dataclips, or come after the end are refused with Lightning's words. Faults are ordered
with `order`; each is struck by the next message that fits.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from holdfast.model.json import Json, JsonObject
from holdfast.protocol import messages as m
from holdfast.protocol.frames import (
    HEARTBEAT,
    PHX_CLOSE,
    PHX_ERROR,
    PHX_JOIN,
    PHX_LEAVE,
    PHX_REPLY,
    Message,
    decode_text,
    encode_binary_reply,
    encode_text,
)
from holdfast.protocol.messages import Extension, InvalidPayload
from holdfast.protocol.tokens import (
    TokenError,
    sign_run_token,
    verify_run_token,
    verify_worker_token,
)
from holdfast.testing.twin_run import HANDLERS, Refusal, TwinRun


class Do(Enum):
    """What to do with a message instead of answering it properly."""

    LOSE = "lose"  # it never arrived: not recorded, not answered
    MUTE = "mute"  # recorded, not answered
    CUT_BEFORE = "cut before"  # the connection ends before it is recorded
    CUT_AFTER = "cut after"  # recorded, then the connection ends instead of an answer
    REFUSE = "refuse"  # answered with an error
    DELAY = "delay"  # recorded and answered later
    DUPLICATE = "duplicate"  # answered twice
    REORDER = "reorder"  # recorded; the answer comes behind that of a later message
    CRASH = "crash"  # the channel dies before it is recorded


#: Faults that strike before the message is recorded.
_BEFORE = {Do.LOSE, Do.CUT_BEFORE, Do.REFUSE, Do.CRASH}


@dataclass(slots=True)
class Order:
    """One ordered fault."""

    event: str
    do: Do
    times: int = 1
    response: Json = None
    seconds: float = 0.2
    run: str | None = None


class TwinPlatform:
    """Use as async context manager; `url` is what a worker is given."""

    def __init__(
        self,
        *,
        secret: str = "twin-secret",  # noqa: S107 - tests only
        extension: Extension | None = None,
        frame_bytes: int = 11_000_000,
        token_seconds: int = 3600,
        private_key: RSAPrivateKey | None = None,
    ) -> None:
        self.secret = secret
        self.extension = extension
        self.frame_bytes = frame_bytes
        self.token_seconds = token_seconds
        self.key = private_key or generate_private_key(public_exponent=65537, key_size=2048)
        self.runs: dict[str, TwinRun] = {}
        self.claims: list[JsonObject] = []
        self.joins: list[JsonObject] = []
        self.handshakes: list[dict[str, str]] = []
        self.orders: list[Order] = []
        self.join_seconds: float | None = None  # a claim not joined by then is given again
        self.surplus = 0  # runs a claim brings beyond what was asked for
        self.thawed = asyncio.Event()  # cleared: nothing is read or answered
        self.thawed.set()
        self.port = 0
        self._server: Server | None = None
        self._connections: set[ServerConnection] = set()
        self._sessions: set[_Session] = set()
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/worker"

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await serve(
            self._session, "127.0.0.1", self.port, process_request=self._handshake,
            max_size=self.frame_bytes, ping_interval=None, close_timeout=0.2,
        )  # fmt: skip
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Drop everybody and stop listening; what is known stays known."""
        if self._server is not None:
            self.cut()
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    # What a test does

    def enqueue(
        self,
        plan: JsonObject,
        *,
        input: Json | bytes = None,  # noqa: A002 - the word of the domain
        credentials: Mapping[str, Json | bytes] | None = None,
        run_id: str | None = None,
    ) -> TwinRun:
        """A run that waits to be claimed. `plan` without id; with input it gets a dataclip."""
        run_id = run_id or str(uuid4())
        plan = {"id": run_id, **plan}
        data = input if isinstance(input, bytes) else json.dumps(input).encode()
        if input is not None:
            plan.setdefault("dataclip_id", f"input-of-{run_id}")
        run = TwinRun(run_id, plan, data, credentials or {})
        self.runs[run_id] = run
        return run

    def order(self, event: str, do: Do, **details: Any) -> Order:
        """Strike the next message with this event."""
        order = Order(event, do, **details)
        self.orders.append(order)
        return order

    def cut(self) -> None:
        """End every connection without a word."""
        for connection in list(self._connections):
            connection.transport.abort()

    async def close_all(self, code: int, reason: str = "") -> None:
        """Close every connection politely, with a code."""
        for connection in list(self._connections):
            await connection.close(code, reason)

    def push(self, topic: str, event: str, payload: Json = None) -> None:
        """Push an event to everybody who joined the topic."""
        for session in self._sessions:
            session.push(topic, event, payload)

    def drop_channel(self, topic: str, event: str = PHX_ERROR) -> None:
        """End a channel of the platform: phx_error or phx_close."""
        for session in self._sessions:
            session.drop(topic, event)

    async def until(self, condition: Callable[[], object], seconds: float = 30) -> None:
        """Wait until something is true of this platform. TimeoutError with what is known."""
        deadline = time.monotonic() + seconds
        while not condition():
            self._news.clear()
            try:
                left = max(0.0, deadline - time.monotonic())
                await asyncio.wait_for(self._news.wait(), min(left, 0.25))
            except TimeoutError:
                if time.monotonic() >= deadline:
                    known = {run.id: (run.state, run.names()) for run in self.runs.values()}
                    message = f"not within {seconds:g} s; runs: {known}"
                    raise TimeoutError(message) from None

    # Sockets

    def _handshake(self, connection: ServerConnection, request: Request) -> Response | None:
        address = urlsplit(request.path)
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        if address.path != "/worker/websocket":
            return connection.respond(HTTPStatus.NOT_FOUND, "no such socket\n")
        try:
            verify_worker_token(query.get("token", ""), self.secret, time.time())
        except TokenError:
            return connection.respond(HTTPStatus.UNAUTHORIZED, "unauthorized\n")
        self.handshakes.append(query)
        return None

    async def _session(self, connection: ServerConnection) -> None:
        session = _Session(self, connection)
        self._connections.add(connection)
        self._sessions.add(session)
        self.changed()
        try:
            async for data in connection:
                await self.thawed.wait()
                if isinstance(data, str):
                    await session.received(decode_text(data))
                self.changed()
        except ConnectionClosed:
            pass
        finally:
            self._connections.discard(connection)
            self._sessions.discard(session)
            session.end()
            self.changed()

    def changed(self) -> None:
        """Something happened: `until` looks again."""
        self._news.set()

    def struck(self, event: str, run: str | None) -> Order | None:
        """The ordered fault for this message, used up once."""
        for order in self.orders:
            if order.event == event and order.run in (None, run) and order.times > 0:
                order.times -= 1
                return order
        return None

    # What the platform answers

    def claim(self, payload: JsonObject) -> JsonObject:
        """Give out what is available."""
        self.claims.append(payload)
        self._take_back()
        demand = m.Claim.from_payload(payload).demand + self.surplus
        given: list[Json] = []
        for run in self.runs.values():
            if run.state == "available" and len(given) < demand:
                now = int(time.time())
                run.state, run.claims = "claimed", run.claims + 1
                run.claimed_at = time.monotonic()
                run.token = sign_run_token(
                    self.key,
                    run.id,
                    not_before=now,
                    expires_at=now + self.token_seconds,
                    extra={"claim": run.claims},
                )
                given.append({"id": run.id, "token": run.token})
        return {"runs": given}

    def _take_back(self) -> None:
        """Claims whose run was not joined in time: the run is free again, the old token void."""
        if self.join_seconds is None:
            return
        oldest = time.monotonic() - self.join_seconds
        for run in self.runs.values():
            if run.state == "claimed" and not run.joined and run.claimed_at < oldest:
                run.state, run.token = "available", ""

    def join(self, topic: str, payload: JsonObject) -> JsonObject:
        """Join a channel. Refusal."""
        if topic == m.WORKER_QUEUE:
            self.joins.append(payload)
            return {}
        run = self.runs.get(topic.removeprefix(m.RUN_TOPIC))
        if run is None:
            raise Refusal({"reason": "not_found"})
        try:
            token = str(payload.get("token"))
            verify_run_token(token, self.key.public_key(), time.time(), run_id=run.id)
        except TokenError:
            raise Refusal({"reason": "unauthorized"}) from None
        if token != run.token:
            raise Refusal({"reason": "unauthorized"})
        run.joins += 1
        run.joined = True
        return self.extension.to_payload() if self.extension is not None else {}

    def event(self, run: TwinRun, name: str, payload: Any) -> Json | bytes:
        """The response to an event of a run. Refusal."""
        if name == m.FETCH_PLAN:
            return run.plan
        if name == m.FETCH_DATACLIP:
            return run.input
        if name == m.FETCH_CREDENTIAL:
            if payload.get("id") not in run.credentials:
                raise Refusal({"errors": {"id": ["Credential not found!"]}})
            return run.credentials[payload["id"]]
        handler = HANDLERS.get(name)
        if handler is None:
            raise Refusal({"reason": "unknown event"})
        try:
            return handler(run, payload, self.extension or Extension())
        except InvalidPayload as error:
            raise Refusal(error.response) from None


class _Session:
    """One connection's channels."""

    def __init__(self, platform: TwinPlatform, connection: ServerConnection) -> None:
        self._platform = platform
        self._connection = connection
        self._joined: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: list[tuple[Message, str, Json | bytes]] = []  # answers to be overtaken

    def end(self) -> None:
        for task in self._tasks:
            task.cancel()

    def push(self, topic: str, event: str, payload: Json) -> None:
        if topic in self._joined:
            self._later(self._send(Message(None, None, topic, event, payload)))

    def drop(self, topic: str, event: str) -> None:
        join_ref = self._joined.pop(topic, None)
        if join_ref is not None:
            if (run := self._platform.runs.get(topic.removeprefix(m.RUN_TOPIC))) is not None:
                run.struck.append((event, Do.CRASH.value))
            self._later(self._send(Message(join_ref, join_ref, topic, event, {})))

    def _later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, message: Message) -> None:
        try:
            await self._connection.send(encode_text(message))
        except ConnectionClosed:
            return

    async def received(self, message: Message) -> None:
        """Answer one message, or do what was ordered instead."""
        if self._connection.transport.is_closing():
            return  # what was sent behind the message that cut the connection never arrived
        run = message.topic.removeprefix(m.RUN_TOPIC)
        order = self._platform.struck(message.event, run)
        if order is not None and run in self._platform.runs:
            self._platform.runs[run].struck.append((message.event, order.do.value))
        if order is not None and order.do in _BEFORE:
            await self._strike(message, order)
            return
        status, response = self._answer(message)
        self._platform.changed()
        if order is not None and order.do is Do.CUT_AFTER:
            self._connection.transport.abort()
        elif order is not None and order.do is Do.DELAY:
            self._later(self._delayed(message, status, response, order.seconds))
        elif order is not None and order.do is Do.REORDER:
            self._held.append((message, status, response))
            self._later(self._let_go(order.seconds))
        elif order is None or order.do is Do.DUPLICATE:
            for _ in range(1 if order is None else 2):
                await self._reply(message, status, response)
            if self._held:
                await self._let_go(0)
        if message.event == PHX_LEAVE:
            ref = message.join_ref
            await self._send(Message(ref, ref, message.topic, PHX_CLOSE, {}))

    async def _strike(self, message: Message, order: Order) -> None:
        """The message is not recorded."""
        if order.do is Do.CUT_BEFORE:
            self._connection.transport.abort()
        elif order.do is Do.CRASH:
            self.drop(message.topic, PHX_ERROR)
        elif order.do is Do.REFUSE:
            await self._reply(message, "error", order.response)

    async def _delayed(
        self, message: Message, status: str, response: Json | bytes, seconds: float
    ) -> None:
        await asyncio.sleep(seconds)
        await self._reply(message, status, response)

    async def _let_go(self, seconds: float) -> None:
        """Send the answers that were held back; after a while also if none has overtaken them."""
        await asyncio.sleep(seconds)
        held, self._held = self._held, []
        for answer in reversed(held):
            await self._reply(*answer)

    async def _reply(self, message: Message, status: str, response: Json | bytes) -> None:
        try:
            if isinstance(response, bytes):
                await self._connection.send(encode_binary_reply(message, status, response))
            else:
                body: JsonObject = {"status": status, "response": response}
                answer = Message(message.join_ref, message.ref, message.topic, PHX_REPLY, body)
                await self._connection.send(encode_text(answer))
        except ConnectionClosed:
            return

    def _answer(self, message: Message) -> tuple[str, Json | bytes]:
        try:
            return "ok", self._response(message)
        except Refusal as refusal:
            return "error", refusal.args[0]

    def _response(self, message: Message) -> Json | bytes:
        topic, event = message.topic, message.event
        body = message.payload if isinstance(message.payload, dict) else {}
        if event in (HEARTBEAT, PHX_LEAVE):
            if event == PHX_LEAVE:
                self._joined.pop(topic, None)
            return {}
        if event == PHX_JOIN:
            response = self._platform.join(topic, body)
            self._joined[topic] = str(message.join_ref)
            return response
        if self._joined.get(topic) != message.join_ref:
            raise Refusal({"reason": "unmatched topic"})
        if event == m.CLAIM:
            return self._platform.claim(body)
        run = self._platform.runs[topic.removeprefix(m.RUN_TOPIC)]
        try:
            return self._platform.event(run, event, body)
        except Refusal as refusal:
            run.refused.append((event, body, refusal.args[0]))
            raise


def one_job_plan(body: str, *, adaptor: str | None = None, **options: Json) -> JsonObject:
    """A plan of one trigger and one job."""
    job: JsonObject = {"id": "j1", "name": "Job", "adaptor": adaptor, "body": body}
    edge: JsonObject = {
        "id": "e1", "source_trigger_id": "t1", "target_job_id": "j1", "condition": "always",
        "enabled": True,
    }  # fmt: skip
    return {
        "triggers": [{"id": "t1"}],
        "jobs": [job],
        "edges": [edge],
        "starting_node_id": "t1",
        "options": {"run_timeout_ms": 60_000, **options},
    }
