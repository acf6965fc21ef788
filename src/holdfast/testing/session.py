"""One worker's socket at the twin: its channels, and the process behind each of them.

The rules are Phoenix's (`docs/spec/lightning-answers.md` section 1): a channel works its messages
one at a time and in order; one that dies takes what waits behind with it; a second join kills the
first.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from holdfast.model.json import Json, JsonObject
from holdfast.protocol import messages as m
from holdfast.protocol.frames import (
    HEARTBEAT,
    PHX_CLOSE,
    PHX_ERROR,
    PHX_JOIN,
    PHX_LEAVE,
    PHX_REPLY,
    BadFrame,
    Message,
    decode_text,
    encode_binary_reply,
    encode_text,
)
from holdfast.testing.orders import BEFORE, Do, Order
from holdfast.testing.twin_run import Crash, Refusal, TwinRun

#: The answer of one event, from whatever handles it. Refusal, Crash.
Handler = Callable[[str, Any], "Json | bytes"]
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
#: Without a frame for so long, Phoenix closes the socket politely.
IDLE_SECONDS = 60.0
_ABNORMAL, _IDLE = 1011, 1000
#: Answers that leave together at most.
_TOGETHER = 8


class Host(Protocol):
    """What a session needs of its platform."""

    runs: dict[str, TwinRun]
    thawed: asyncio.Event
    answer_seconds: float
    closes: Callable[[Message], int | None]

    @property
    def in_order(self) -> bool: ...
    def changed(self) -> None: ...
    def struck(self, event: str, run: str | None) -> Order | None: ...
    def open(self, topic: str, payload: JsonObject) -> tuple[JsonObject, Handler]: ...


@dataclass(eq=False, slots=True)
class Process:
    """Answers the messages of one channel."""

    topic: str
    join_ref: str
    handle: Handler
    alive: bool = True
    busy: bool = False
    mailbox: deque[Message] = field(default_factory=deque)


class Session:
    """See the module."""

    def __init__(self, host: Host, connection: ServerConnection) -> None:
        self._host = host
        self._connection = connection
        self._processes: dict[str, Process] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: list[tuple[Message, str, Json | bytes]] = []  # answers to be overtaken
        self._answers: asyncio.Queue[tuple[float, str | bytes]] = asyncio.Queue()
        self._carrier: asyncio.Task[None] | None = None
        self._out: list[str | bytes] = []  # to be sent in this turn of the event loop
        self._heard = asyncio.get_running_loop().time()
        self._watching = self._watch()

    async def serve(self) -> None:
        """Read until the socket ends."""
        try:
            async for data in self._connection:
                self._heard = asyncio.get_running_loop().time()
                await self._host.thawed.wait()
                if isinstance(data, str):
                    message = _decoded(data)
                    if (code := self._host.closes(message)) is not None:
                        await self._flush()
                        await self._connection.close(code)
                        return
                    await self._received(message)
                self._host.changed()
        except BadFrame as error:
            await self._flush()
            await self._connection.close(_ABNORMAL, error.message[:100])
        except ConnectionClosed:
            return
        finally:  # the processes work off what is in their mailboxes; nobody hears the answers
            self._watching.cancel()
            if self._carrier is not None:
                self._carrier.cancel()

    def _watch(self) -> asyncio.TimerHandle:
        """Close the socket when nothing has come for long."""
        loop = asyncio.get_running_loop()
        return loop.call_at(self._heard + IDLE_SECONDS, self._look)

    def _look(self) -> None:
        if asyncio.get_running_loop().time() < self._heard + IDLE_SECONDS:
            self._watching = self._watch()
        else:
            self._later(self._connection.close(_IDLE))

    def push(self, topic: str, event: str, payload: Json) -> None:
        """Push an event to whoever has joined."""
        if topic in self._processes:
            self._later(self._send(Message(None, None, topic, event, payload)))

    def drop(self, topic: str, event: str) -> None:
        """A channel ends from the platform's side: phx_error or phx_close."""
        process = self._processes.get(topic)
        if process is not None:
            if (run := self._run(topic)) is not None:
                run.struck.append((event, Do.CRASH.value))
            self._die(process, event)

    def _run(self, topic: str) -> TwinRun | None:
        return self._host.runs.get(topic.removeprefix(m.RUN_TOPIC))

    def _die(self, process: Process, event: str) -> None:
        """It and all that waits in its mailbox get no reply."""
        process.alive = False
        process.mailbox.clear()
        if self._processes.get(process.topic) is process:
            del self._processes[process.topic]
        ref = process.join_ref
        self._later(self._send(Message(ref, ref, process.topic, event, {})))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # What came

    async def _received(self, message: Message) -> None:
        if self._connection.transport.is_closing():
            return  # what was sent behind the message that cut the connection never arrived
        process = self._processes.get(message.topic)
        if message.event in (HEARTBEAT, PHX_JOIN, PHX_LEAVE):
            order = self._struck(message)
            work = self._work(message, order, None)
            if order is not None and order.do in (Do.DELAY, Do.REORDER):
                self._later(work)
            else:
                await work
        elif process is None:
            message = Message(None, message.ref, message.topic, message.event, None)
            await self._reply(message, "error", {"reason": "unmatched topic"})
        elif process.join_ref == message.join_ref:  # else dropped without a word
            await self._post(process, message)

    def _struck(self, message: Message) -> Order | None:
        """The fault that was ordered for this message."""
        run = self._run(message.topic)
        order = self._host.struck(message.event, run.id if run is not None else None)
        if order is not None and run is not None:
            run.struck.append((message.event, order.do.value))
        return order

    async def _post(self, process: Process, message: Message) -> None:
        if process.busy:
            process.mailbox.append(message)
            return
        process.busy = True
        order = self._struck(message)
        if order is not None and order.do in (Do.DELAY, Do.REORDER):
            self._later(self._work_off(process, message, order))
        else:
            await self._work_off(process, message, order)

    async def _work_off(self, process: Process, message: Message, order: Order | None) -> None:
        """Answer a message, and all that came into the mailbox meanwhile."""
        await self._work(message, order, process)
        while process.alive and process.mailbox:
            message = process.mailbox.popleft()
            await self._work(message, self._struck(message), process)
        process.busy = False

    async def _work(self, message: Message, order: Order | None, process: Process | None) -> None:
        """Answer one message, or do what was ordered instead."""
        do = None if order is None else order.do
        if order is not None and do in BEFORE:
            await self._strike(message, order, process)
            return
        try:
            status, response = "ok", self._response(message, process)
        except Refusal as refusal:
            status, response = "error", refusal.args[0]
        except Crash as crash:
            run = self._run(message.topic)
            if run is not None:
                run.crashed.append((message.event, crash.args[0]))
            if process is not None:
                self._die(process, PHX_ERROR)
            return
        self._host.changed()
        await self._answer(message, status, response, order, process)

    async def _answer(
        self, message: Message, status: str, response: Json | bytes, order: Order | None,
        process: Process | None,
    ) -> None:  # fmt: skip
        """Send the answer, or lose, delay or double it as ordered."""
        do = None if order is None else order.do
        reply: Callable[[], Awaitable[None]] = lambda: self._reply(message, status, response)  # noqa: E731
        if do is Do.CUT_AFTER:
            self._connection.transport.abort()
        elif do is Do.CRASH_AFTER and process is not None:
            self._die(process, PHX_ERROR)
        elif order is not None and do is Do.REORDER and not self._host.in_order:
            self._held.append((message, status, response))
            self._later(self._let_go(order.seconds))
        elif order is not None and do in (Do.DELAY, Do.REORDER):
            await asyncio.sleep(order.seconds)
            await reply()
        elif do is not Do.MUTE:
            for _ in range(2 if do is Do.DUPLICATE else 1):
                await reply()
            if self._held:
                await self._let_go(0)
        if message.event == PHX_LEAVE:
            ref = message.join_ref
            await self._send(Message(ref, ref, message.topic, PHX_CLOSE, {}))

    async def _strike(self, message: Message, order: Order, process: Process | None) -> None:
        """The message is not recorded."""
        if order.do is Do.CUT_BEFORE:
            self._connection.transport.abort()
        elif order.do is Do.CRASH and process is not None:
            self._die(process, PHX_ERROR)
        elif order.do is Do.REFUSE:
            await self._reply(message, "error", order.response)

    def _response(self, message: Message, process: Process | None) -> Json | bytes:
        topic, event = message.topic, message.event
        if process is None:
            return self._response_of_socket(message)
        try:
            return process.handle(event, message.payload)
        except Refusal as refusal:
            if (run := self._run(topic)) is not None:
                run.refused.append((event, message.payload, refusal.args[0]))
            raise

    def _response_of_socket(self, message: Message) -> JsonObject:
        """The answer to heartbeats, joins and leaves."""
        topic = message.topic
        if message.event == PHX_LEAVE:
            left = self._processes.pop(topic, None)
            if left is not None:
                left.alive = False
        if message.event != PHX_JOIN:
            return {}
        body = message.payload if isinstance(message.payload, dict) else {}
        response, handle = self._host.open(topic, body)
        if (old := self._processes.get(topic)) is not None:
            self._die(old, PHX_CLOSE)
        self._processes[topic] = Process(topic, str(message.join_ref), handle)
        return response

    # What goes out

    async def _let_go(self, seconds: float) -> None:
        """Send the answers that were held back; after a while also if none has overtaken them."""
        await asyncio.sleep(seconds)
        held, self._held = self._held, []
        for answer in reversed(held):
            await self._reply(*answer)

    async def _reply(self, message: Message, status: str, response: Json | bytes) -> None:
        if isinstance(response, bytes):
            await self._write(encode_binary_reply(message, status, response))
        else:
            body: JsonObject = {"status": status, "response": response}
            await self._send(
                Message(message.join_ref, message.ref, message.topic, PHX_REPLY, body)
            )

    async def _send(self, message: Message) -> None:
        await self._write(encode_text(message))

    async def _write(self, data: str | bytes) -> None:
        """Send now, or behind what waits when the way to the worker takes time."""
        if self._host.answer_seconds > 0:
            if self._carrier is None:
                self._carrier = asyncio.get_running_loop().create_task(self._carry())
            due = asyncio.get_running_loop().time() + self._host.answer_seconds
            self._answers.put_nowait((due, data))
            return
        self._out.append(data)
        if len(self._out) == 1:
            self._later(self._flush())
        elif len(self._out) == _TOGETHER:
            await self._flush()  # a Lightning answers while it works off what has come

    async def _flush(self) -> None:
        """Send what has come together in one turn of the event loop."""
        out, self._out = self._out, []
        try:
            async with self._connection.send_context():
                for data in out:
                    if isinstance(data, bytes):
                        self._connection.protocol.send_binary(data)
                    else:
                        self._connection.protocol.send_text(data.encode())
                self._connection.transport.writelines(self._connection.protocol.data_to_send())
        except ConnectionClosed:
            return

    async def _carry(self) -> None:
        """Bring each answer when it is due, in order."""
        while True:
            due, data = await self._answers.get()
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            try:
                await self._connection.send(data)
            except ConnectionClosed:
                return


def _decoded(data: str) -> Message:
    """The message; BadFrame also for a lone surrogate, which no Elixir string can hold."""
    message = decode_text(data)
    if _ESCAPED_SURROGATE.search(data):
        try:
            json.dumps(message.payload, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            problem = "a lone surrogate"
            raise BadFrame(problem) from None
    return message
