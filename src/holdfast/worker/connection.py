"""The one connection to the platform: a websocket around the pure client. It always reconnects.

The rules are in `holdfast.protocol.client`; here are only the socket, the clock, and futures.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeAlias
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from holdfast import __version__, log
from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json, JsonObject
from holdfast.protocol import client as channels
from holdfast.protocol.backoff import Backoff
from holdfast.protocol.client import Client, Happening, Loss
from holdfast.protocol.frames import BadFrame, Payload, Reply
from holdfast.protocol.isolation import Isolation
from holdfast.worker import deflate
from holdfast.worker.dial import Dial

API_VERSION = "1.2"
#: First and longest pause before a reconnect; up to half of it is taken away by chance. Short,
#: so that after any outage everything is delivered within seconds.
RECONNECT_SECONDS = (0.25, 4.0)
#: Plans with data in them and input dataclips come in one message.
MAX_INCOMING_BYTES = 256 * 1024 * 1024
#: Frames read ahead: as many as one turn of the event loop may bring.
_INCOMING = 1024
#: A connection that has lived so long has done well, even if there was nothing to do.
_STEADY_SECONDS = 30.0
_OPEN_SECONDS = 10.0
#: A frame begins with two references and its topic.
_HEAD_CHARACTERS = 200
#: Characters of a refusal that are shown.
_SHOWN = 2000
_CLOSE_SECONDS = 2.0
#: A refusal that goes on is logged again after this time.
_REMIND_SECONDS = 60.0


class AnswerLost(HoldfastError):  # noqa: N818 - states a fact
    """The answer to a push will not come. `loss` is None when its time was up."""

    def __init__(self, loss: Loss | None) -> None:
        super().__init__("no answer in time" if loss is None else f"lost with its {loss.value}")
        self.loss = loss


class Refused(HoldfastError):  # noqa: N818
    """The platform refused a request; `response` is what it said."""

    def __init__(self, event: str, response: Json | bytes) -> None:
        super().__init__(f"[{event}] {_words(response)[:_SHOWN]}")
        self.response = response


def _words(response: Json | bytes) -> str:
    """What a platform said, as the reference words it: text as it is, all else as JSON."""
    if isinstance(response, bytes):
        return response.decode(errors="replace")
    if isinstance(response, str):
        return response
    return json.dumps(response, ensure_ascii=False, separators=(",", ":"))


def endpoint(url: str, token: str) -> str:
    """The address with everything the platform wants to know at the handshake."""
    query = {
        "token": token,
        "api_version": API_VERSION,
        "worker_version": __version__,
        "vsn": "2.0.0",
    }
    return f"{url.rstrip('/')}/websocket?{urlencode(query)}"


#: Told what became of a push, once. Runs in the event loop and must not block.
Then: TypeAlias = "Callable[[Reply | AnswerLost], None]"
#: Frames that are sent together.
Frames: TypeAlias = "Sequence[str | bytes]"


@dataclass(eq=False)
class Channel:
    """One topic as its owner sees it. The callbacks run in the event loop and must not block."""

    topic: str
    connection: Connection
    response: Json | bytes = None  # of the last join
    joins: int = 0  # how often it was joined: each time by a new process of the platform
    refusals: int = 0  # joins refused in a row
    refusal: Json | bytes = None
    on_change: Callable[[], None] = lambda: None  # joined, refused, or lost
    on_push: Callable[[str, Payload], None] = lambda _event, _payload: None
    on_late: Callable[[Reply], None] = lambda _reply: None
    waiting: dict[str, Then] = field(default_factory=dict)

    @property
    def joined(self) -> bool:
        return self.connection.client.joined(self.topic)

    def push(self, event: str, payload: Payload, then: Then, *, timeout: float) -> str:
        """Send; `then` gets the reply or AnswerLost. The reference that a late reply will name.

        NotJoined if it cannot be sent. Never answers before this has returned.
        """
        connection = self.connection
        ref = connection.client.push(self.topic, event, payload, connection.now(), timeout=timeout)
        self.waiting[ref] = then
        connection.pump_soon()
        return ref

    def ask(
        self, event: str, payload: Payload, *, timeout: float
    ) -> tuple[str, asyncio.Future[Reply]]:
        """As `push`; the reference, and a future that brings the reply or AnswerLost."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def then(answer: Reply | AnswerLost) -> None:
            if future.done():
                return
            if isinstance(answer, AnswerLost):
                future.set_exception(answer)
            else:
                future.set_result(answer)

        return self.push(event, payload, then, timeout=timeout), future

    async def request(self, event: str, payload: Payload, seconds: float) -> Json | bytes:
        """Send and wait; the response. Refused, AnswerLost, NotJoined."""
        _, answer = self.ask(event, payload, timeout=seconds)
        reply = await answer
        if not reply.ok:
            raise Refused(event, reply.response)
        return reply.response

    def rejoin(self) -> None:
        """Join anew: what is unanswered is given up, here and at the platform."""
        self.connection.client.rejoin(self.topic, self.connection.now())
        self.connection.pump_soon()

    def progressed(self) -> None:
        """The platform has taken something: after a failure it is tried again at once."""
        self.connection.client.progress(self.topic)
        self.connection.progressed()

    def leave(self) -> None:
        """Leave the topic for good."""
        self.connection.leave(self.topic)


class Connection:
    """Connects, joins, sends and receives until `close`; survives every kind of loss."""

    def __init__(
        self,
        url: str,
        make_token: Callable[[], str],
        *,
        name: str = "",
        on_change: Callable[[], None] = lambda: None,
        chance: Callable[[], float] = random.random,
        dial: Dial | None = None,
    ) -> None:
        self.client = Client()
        self._dial = dial or Dial()
        self.connects = 0
        self.drops = 0
        self.isolation = Isolation()
        self.no_batches = False  # the platform's channels crash on batches of log lines
        self.no_json = False  # it takes outputs as text only
        self._url = url
        self._name = name or url
        self._make_token = make_token
        self._on_change = on_change
        self._chance = chance
        self._channels: dict[str, Channel] = {}
        self._outbox: asyncio.Queue[Frames] = asyncio.Queue()
        self._preparing: set[asyncio.Task[None]] = set()
        self._behind: dict[str, deque[str]] = {}  # by topic: a large frame, and what follows it
        self._pumping = False  # it will be done in this turn of the event loop
        self._ticked = asyncio.Event()
        self._wakes = float("inf")  # when the ticker looks again
        self._backoff = Backoff(*RECONNECT_SECONDS)
        self._socket: ClientConnection | None = None
        self._problem = ""
        self._problem_logged = float("-inf")

    @property
    def up(self) -> bool:
        return self.client.up

    def now(self) -> float:
        """The steady clock that all deadlines are on."""
        return asyncio.get_running_loop().time()

    def join(self, topic: str, payload: JsonObject, *, timeout: float) -> Channel:
        """Join a topic and keep it joined. The Channel tells when that has happened."""
        channel = self._channels.get(topic)
        if channel is None:
            channel = self._channels[topic] = Channel(topic, self)
        self.client.join(topic, payload, self.now(), timeout=timeout)
        self.pump()
        return channel

    def leave(self, topic: str) -> None:
        """Leave a topic."""
        self.client.leave(topic)
        self.pump()
        self._channels.pop(topic, None)

    def progressed(self) -> None:
        """The platform does what it is there for: begin with short pauses again.

        A join alone says nothing: a frame that ends every connection comes behind it.
        """
        self._backoff.reset()

    async def run(self) -> None:
        """Stay connected. Ends only by cancellation."""
        ticker = asyncio.create_task(self._tick())
        try:
            while True:
                await self._once()
                delay = self._backoff.next(self._chance)
                log.debug("connection.retry", seconds=round(delay, 2))
                await asyncio.sleep(delay)
        finally:
            ticker.cancel()

    async def close(self) -> None:
        """Send what is still to be sent, then close."""
        if self._socket is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await self._outbox.join()
            await self._socket.close(1000, "worker ends")

    def pump_soon(self) -> None:
        """As `pump`, behind what the event loop does now: once for all that is sent meanwhile."""
        if not self._pumping:
            self._pumping = True
            asyncio.get_running_loop().call_soon(self.pump)

    def pump(self) -> None:
        """Pass on what the client wants to send and what it has noticed."""
        self._pumping = False
        if frames := [frame for frame in self.client.outgoing() if not self._waits(frame)]:
            self._outbox.put_nowait(frames)
        for happened in self.client.happenings():
            self._dispatch(happened)
        deadline = self.client.next_deadline()
        if deadline is not None and deadline < self._wakes:
            self._ticked.set()

    def _waits(self, frame: str) -> bool:
        """Whether a frame is large, or behind a large one of its topic: then it is prepared."""
        if not self._behind and len(frame) < deflate.LARGE:
            return False
        topic = frame[:_HEAD_CHARACTERS].split(",", 3)[2]
        if (behind := self._behind.get(topic)) is not None:
            behind.append(frame)
            return True
        if len(frame) < deflate.LARGE:
            return False
        self._behind[topic] = deque([frame])
        task = asyncio.create_task(self._prepare(topic, self._behind, self._outbox))
        self._preparing.add(task)
        task.add_done_callback(self._preparing.discard)
        return True

    async def _prepare(
        self, topic: str, behind: dict[str, deque[str]], outbox: asyncio.Queue[Frames]
    ) -> None:
        """Queue a large frame when it is ready, and what follows it on its topic. Frames of other
        topics go meanwhile."""
        extensions = [] if self._socket is None else self._socket.protocol.extensions
        frames = behind[topic]
        while frames:
            frame = frames[0]
            if len(frame) < deflate.LARGE:
                outbox.put_nowait([frame])
            else:
                outbox.put_nowait([await asyncio.to_thread(deflate.prepared, frame, extensions)])
            frames.popleft()
        del behind[topic]

    # The socket

    async def _once(self) -> None:
        """One connection, from the handshake to its end."""
        token = self._make_token()
        try:
            async with connect(
                endpoint(self._url, token),
                **self._dial.options(self._url),
                max_size=MAX_INCOMING_BYTES,
                max_queue=_INCOMING,
                open_timeout=_OPEN_SECONDS,
                close_timeout=_CLOSE_SECONDS,
                ping_interval=None,  # the channel protocol has heartbeats of its own
                user_agent_header=f"holdfast/{__version__}",
            ) as socket:
                await self._serve(socket)
        except InvalidStatus as error:
            self._report(_refusal(error.response.status_code))
        except Exception as error:  # of any kind: after this attempt comes the next
            text = str(error).replace(token, "…")  # a bad redirect is told with its address
            self._report(f"{type(error).__name__}: {text}" if text else type(error).__name__)

    async def _serve(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.connects += 1
        self._problem = ""
        self._outbox, self._behind = asyncio.Queue(), {}
        log.info("connection.up", platform=self._name)
        self.client.connected(self.now())
        self.pump()
        self._on_change()
        sender = asyncio.create_task(self._send(socket))
        began = self.now()
        try:
            async for data in socket:
                try:
                    self.client.received(data, self.now())
                except BadFrame as error:
                    log.warn("connection.bad_frame", why=error.message)
                self.pump_soon()  # once for all frames that have come together
        finally:
            sender.cancel()
            self._socket = None
            self.drops += 1
            if self.now() - began >= _STEADY_SECONDS:
                self.progressed()
            log.warn("connection.down", code=socket.close_code, why=socket.close_reason or "-")
            by_peer = socket.protocol.close_rcvd_then_sent is not False
            self.client.disconnected(socket.close_code if by_peer else None)
            self.pump()
            self._on_change()

    async def _send(self, socket: ClientConnection) -> None:
        """All that waits is written at once: a call of the system for each costs as much as the
        rest."""
        while True:
            parts = [await self._outbox.get()]
            while not self._outbox.empty():
                parts.append(self._outbox.get_nowait())
            try:
                async with socket.send_context():
                    for frame in chain.from_iterable(parts):
                        data = frame.encode() if isinstance(frame, str) else frame
                        socket.protocol.send_text(data)
                    socket.transport.writelines(socket.protocol.data_to_send())
            except ConnectionClosed:
                return
            for _ in parts:
                self._outbox.task_done()

    async def _tick(self) -> None:
        """Wake the client when one of its deadlines comes."""
        while True:
            self._ticked.clear()
            deadline = self.client.next_deadline()
            self._wakes = float("inf") if deadline is None else deadline
            delay = None if deadline is None else max(0.0, deadline - self.now())
            try:
                async with asyncio.timeout(delay):
                    await self._ticked.wait()
            except TimeoutError:
                self.client.tick(self.now())
                self.pump()

    def _report(self, problem: str) -> None:
        """Log a failure to connect: once when it is new, then now and then."""
        if problem != self._problem or self.now() - self._problem_logged > _REMIND_SECONDS:
            self._problem, self._problem_logged = problem, self.now()
            log.error("connection.failed", platform=self._name, why=problem)

    # What the client noticed

    def _dispatch(self, happened: Happening) -> None:
        if isinstance(happened, channels.PeerSilent):
            log.warn("connection.silent")
            if self._socket is not None:
                self._socket.transport.abort()  # a dead peer would not answer a polite close
            return
        channel = self._channels.get(happened.topic)
        if channel is None:
            return
        if isinstance(happened, channels.Replied):
            if (then := channel.waiting.pop(happened.reply.ref, None)) is not None:
                then(happened.reply)
        elif isinstance(happened, channels.Unanswered):
            if (then := channel.waiting.pop(happened.ref, None)) is not None:
                then(AnswerLost(happened.loss))
        elif isinstance(happened, channels.Late):
            channel.on_late(happened.reply)
        elif isinstance(happened, channels.Pushed):
            channel.on_push(happened.event, happened.payload)
        else:
            self._changed(channel, happened)

    def _changed(self, channel: Channel, happened: Happening) -> None:
        if isinstance(happened, channels.Joined):
            channel.response, channel.refusals = happened.response, 0
            channel.joins += 1
            log.debug("channel.joined", topic=channel.topic)
        elif isinstance(happened, channels.JoinRefused):
            channel.refusals += 1
            channel.refusal = happened.response
            log.warn("channel.refused", topic=channel.topic, why=happened.response)
        else:
            log.debug("channel.lost", topic=channel.topic, how=type(happened).__name__)
        channel.on_change()


def _refusal(status: int) -> str:
    if status in (401, 403):
        return (
            "the platform refused this worker: WORKER_SECRET is not the platform's secret. "
            "Give both the same value"
        )
    return f"the platform answered the handshake with HTTP {status}: is the address right?"


async def check_secret(url: str, token: str, dial: Dial) -> None:
    """Try the handshake once. Raises HoldfastError if the platform refuses the secret.

    Other failures are left to the worker, which keeps trying.
    """
    try:
        async with connect(
            endpoint(url, token),
            **dial.options(url),
            open_timeout=5,
            close_timeout=1,
            ping_interval=None,
        ):
            return
    except InvalidStatus as error:
        if error.response.status_code in (401, 403):
            message = "The platform refused this worker: the secret is wrong."
            fix = "Give WORKER_SECRET (or --secret) the value that the platform uses."
            raise HoldfastError(message, fix=fix) from None
    except (OSError, WebSocketException, TimeoutError):
        return
