"""A twin of a Lightning platform in memory: a small real websocket server that records all.

It answers as the real one does, which is not idempotent (`docs/spec/lightning-answers.md`): a
repeated step or dataclip crashes the channel, a frame it cannot read closes the socket. With an
`extension` that says `idempotent` it answers as Holdfast's own platform. `order` orders a fault;
the next message that fits gets it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from holdfast.model.json import Json, JsonObject
from holdfast.protocol import messages as m
from holdfast.protocol.frames import PHX_ERROR, Message
from holdfast.protocol.messages import Extension
from holdfast.protocol.tokens import (
    TokenError,
    sign_run_token,
    verify_run_token,
    verify_worker_token,
)
from holdfast.testing import idempotent
from holdfast.testing.lightning import RunChannel
from holdfast.testing.orders import Do, Order
from holdfast.testing.profile import CURRENT, Profile
from holdfast.testing.session import Handler, Session
from holdfast.testing.twin_run import Crash, Refusal, TwinRun

__all__ = ["Do", "Order", "TwinPlatform", "TwinRun", "one_job_plan"]


class TwinPlatform:
    """Use as async context manager; `url` is what a worker is given."""

    def __init__(
        self,
        *,
        secret: str = "twin-secret",  # noqa: S107 - tests only
        extension: Extension | None = None,
        profile: Profile = CURRENT,
        answer_seconds: float = 0.0,
        frame_bytes: int = 11_000_000,
        token_seconds: int = 3600,
        private_key: RSAPrivateKey | None = None,
    ) -> None:
        self.secret = secret
        self.extension = extension
        self.profile = profile
        self.answer_seconds = answer_seconds  # that every answer takes on its way
        self.frame_bytes = frame_bytes
        self.token_seconds = token_seconds
        self.key = private_key or generate_private_key(public_exponent=65537, key_size=2048)
        self.runs: dict[str, TwinRun] = {}
        self.claims: list[JsonObject] = []
        self.joins: list[JsonObject] = []
        self.handshakes: list[dict[str, str]] = []
        self.orders: list[Order] = []
        self.join_seconds: float | None = None  # a claim not joined by then is given again
        #: The code that the socket is closed with at a message; None: it is answered.
        self.closes: Callable[[Message], int | None] = lambda _: None
        self.clock_seconds = 0.0  # by which its clock is ahead of that of its workers
        self.surplus = 0  # runs a claim brings beyond what was asked for
        self.thawed = asyncio.Event()  # cleared: nothing is read or answered
        self.thawed.set()
        self.port = 0
        self._server: Server | None = None
        self._connections: set[ServerConnection] = set()
        self._sessions: set[Session] = set()
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def in_order(self) -> bool:
        """Whether answers leave in the order of what they answer, as Phoenix gives them."""
        return self.extension is None or not self.extension.idempotent

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
        """End all connections and stop listening. The data is kept."""
        if (server := self._server) is not None:
            # Python up to 3.12 leaves a connection open that was accepted just before the close.
            for door in server.sockets:
                asyncio.get_running_loop().remove_reader(door.fileno())
            for _ in range(3):
                await asyncio.sleep(0)
            self.cut()
            server.close()
            await server.wait_closed()
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
        """Order a fault for the next message with this event."""
        order = Order(event, do, **details)
        self.orders.append(order)
        return order

    def cut(self) -> None:
        """Cut every connection."""
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
        session = Session(self, connection)
        self._connections.add(connection)
        self._sessions.add(session)
        self.changed()
        try:
            await session.serve()
        finally:
            self._connections.discard(connection)
            self._sessions.discard(session)
            self.changed()

    def changed(self) -> None:
        """Something changed: `until` looks again."""
        self._news.set()

    def struck(self, event: str, run: str | None) -> Order | None:
        """The ordered fault for this message, used up once."""
        for order in self.orders:
            if order.event == event and order.run in (None, run) and order.times > 0:
                order.times -= 1
                return order
        return None

    # What the platform answers

    def open(self, topic: str, payload: JsonObject) -> tuple[JsonObject, Handler]:
        """Join a channel: the answer, and what handles its events. Refusal."""
        if topic == m.WORKER_QUEUE:
            self.joins.append(payload)
            return {}, self._queue
        run = self.runs.get(topic.removeprefix(m.RUN_TOPIC))
        if run is None:
            raise Refusal({"reason": "not_found"})
        token = str(payload.get("token"))
        try:
            verify_run_token(token, self.key.public_key(), self._time(), run_id=run.id)
        except TokenError:
            raise Refusal({"reason": "unauthorized"}) from None
        if token != run.token:
            raise Refusal({"reason": "unauthorized"})
        run.joins += 1
        run.joined = True
        answer = {} if self.extension is None else self.extension.to_payload()
        if self.in_order:
            return answer, RunChannel(run, self.profile).handle
        return answer, partial(idempotent.handle, run)

    def _queue(self, event: str, payload: Any) -> JsonObject:
        """An event of worker:queue."""
        given = payload if isinstance(payload, dict) else {}
        if event != m.CLAIM or not {"demand", "worker_name"} <= set(given):
            problem = f"no clause for {event}"
            raise Crash(problem)
        return self._claim(given)

    def _claim(self, payload: JsonObject) -> JsonObject:
        """Give out what is available."""
        self.claims.append(payload)
        self._take_back()
        demand = m.Claim.from_payload(payload).demand + self.surplus
        given: list[Json] = []
        for run in self.runs.values():
            if run.state == "available" and len(given) < demand:
                now = int(self._time())
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

    def _time(self) -> float:
        """Seconds since 1970 by the platform's clock."""
        return time.time() + self.clock_seconds

    def _take_back(self) -> None:
        """Claims whose run was not joined in time: the run is free again, the old token void."""
        if self.join_seconds is None:
            return
        oldest = time.monotonic() - self.join_seconds
        for run in self.runs.values():
            if run.state == "claimed" and not run.joined and run.claimed_at < oldest:
                run.state, run.token = "available", ""


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
