"""The worker's websocket: `/worker/websocket` (`docs/spec/platform.md` 4.1).

One task reads; each channel has a task of its own, so that a slow run never holds up another.
What waits in a channel's inbox is handled together: the database commits it as one group, and
the answers go out in order.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial
from typing import cast

from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from holdfast import log
from holdfast.model.json import Json, JsonObject, with_whole_characters
from holdfast.platform.clock import now
from holdfast.platform.service import Platform
from holdfast.platform.workers.channels import Answer, Channel, JoinRefused, channel_for
from holdfast.platform.workers.claims import return_claim
from holdfast.platform.workers.registry import WorkerConnection, record_seen
from holdfast.protocol import frames, server
from holdfast.protocol.frames import BadFrame, Message
from holdfast.protocol.tokens import TokenError, verify_worker_token

#: Events that may wait in one channel before the socket is no longer read.
INBOX = 1024
_TOGETHER = 64


def _whole(message: Message) -> Message:
    """The message with whole characters only. Raises BadFrame when it is nested too deeply."""
    parts = message.join_ref, message.ref, message.topic, message.event
    try:
        refs = [part if part is None else str(with_whole_characters(part)) for part in parts]
        payload = with_whole_characters(cast("Json", message.payload))
    except RecursionError as error:
        text = "nested too deeply"
        raise BadFrame(text) from error
    return Message(refs[0], refs[1], str(refs[2]), str(refs[3]), payload)


async def worker_socket(websocket: WebSocket) -> None:
    """Accept a worker that proves to know the secret, then serve it until it goes."""
    platform: Platform = websocket.app.state.platform
    parameters = websocket.query_params
    try:
        claims = verify_worker_token(
            parameters.get("token", ""), platform.keys.worker_secret, time.time()
        )
    except TokenError as error:
        log.warn("worker.refused", reason=error.message)
        text = f"{error.message}. Does the worker have this platform's WORKER_SECRET?"
        await websocket.send_denial_response(PlainTextResponse(text, 401))
        return
    await websocket.accept()
    worker_id = str(claims["worker_id"])
    await _Socket(
        platform,
        websocket,
        worker_id,
        parameters.get("worker_version"),
        parameters.get("api_version"),
    ).serve()


class _Socket:
    """One open connection."""

    def __init__(
        self,
        platform: Platform,
        websocket: WebSocket,
        worker_id: str,
        version: str | None,
        api_version: str | None,
    ) -> None:
        self._platform = platform
        self._websocket = websocket
        self._connection = server.Connection()
        self._worker = WorkerConnection(worker_id, version, api_version, self._push)
        self._inboxes: dict[str, asyncio.Queue[Message | server.Join]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._pushes: set[asyncio.Task[None]] = set()
        self._sending = asyncio.Lock()

    async def serve(self) -> None:
        self._platform.workers.add(self._worker)
        log.info("worker.connected", id=self._worker.worker_id)
        code = server.CLOSE_ERROR
        try:
            while (data := await self._receive()) is not None:
                await self._act(data)
        except BadFrame as error:
            log.warn("worker.bad_frame", id=self._worker.worker_id, why=error)
            code = server.CLOSE_BAD_FRAME
        except WebSocketDisconnect:
            pass
        except Exception as error:
            log.failure("worker.failed", error, id=self._worker.worker_id)
        finally:
            await self._end(code)

    async def _receive(self) -> Message | None:
        """The next frame; None when the worker has gone. Raises BadFrame."""
        event = await self._websocket.receive()
        if event["type"] == "websocket.disconnect":
            return None
        if (text := event.get("text")) is not None:
            message = frames.decode_text(text)
            # No database takes halves of characters; only escapes can bring them.
            return _whole(message) if "\\ud" in text or "\\uD" in text else message
        return frames.decode_binary(event["bytes"], from_client=True)

    async def _act(self, message: Message) -> None:
        for action in self._connection.receive(message):
            match action:
                case server.Send(answer):
                    await self._send(answer)
                case server.Heartbeat():
                    self._worker.heartbeat_at = now()
                    self._platform.database.submit(
                        lambda tx: record_seen(tx, self._worker, self._platform.id, gone=False)
                    )
                case server.Left(topic, _):
                    await self._stop(topic)
                case server.Join():
                    await self._open(action)
                case server.Event(push):
                    await self._inboxes[push.topic].put(push)

    async def _open(self, join: server.Join) -> None:
        channel = channel_for(self._platform, self._worker, join.topic)
        if channel is None:
            await self._send(self._connection.refuse(join, "unmatched topic"))
            return
        inbox: asyncio.Queue[Message | server.Join] = asyncio.Queue(INBOX)
        self._inboxes[join.topic] = inbox
        self._tasks[join.topic] = asyncio.create_task(self._run(channel, join, inbox))

    async def _stop(self, topic: str) -> None:
        """End a channel's task. What it has queued for the database is done all the same."""
        self._inboxes.pop(topic, None)
        if (task := self._tasks.pop(topic, None)) is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(
        self, channel: Channel, join: server.Join, inbox: asyncio.Queue[Message | server.Join]
    ) -> None:
        """A channel's life: join, then events in order."""
        try:
            response = await channel.join(join.message.payload)
            await self._send(self._connection.accept(join, response))
            while True:
                batch = [await inbox.get()]
                while len(batch) < _TOGETHER and not inbox.empty():
                    batch.append(inbox.get_nowait())
                await self._answer(channel, [item for item in batch if isinstance(item, Message)])
        except JoinRefused as error:
            await self._send(self._connection.refuse(join, str(error)))
            while not inbox.empty():  # sent before the answer was known
                item = inbox.get_nowait()
                if isinstance(item, Message):
                    await self._send(server.unmatched(item))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # The database failed or we did: no answer is better than a wrong one. The worker
            # joins again and sends again what was not answered.
            log.failure("channel.crashed", error, topic=join.topic)
            if (message := self._connection.crash(join.topic)) is not None:
                await self._send(message)
        finally:
            channel.leave()
            if self._inboxes.get(join.topic) is inbox:
                del self._inboxes[join.topic], self._tasks[join.topic]

    async def _answer(self, channel: Channel, batch: list[Message]) -> None:
        if len(batch) == 1:  # the usual case needs no task of its own
            answers = [await channel.handle(batch[0].event, batch[0].payload)]
        else:
            answers = await asyncio.gather(
                *(channel.handle(message.event, message.payload) for message in batch)
            )
        for message, answer in zip(batch, answers, strict=True):
            await self._reply(message, answer)

    async def _reply(self, message: Message, answer: Answer) -> None:
        if answer.document is None:
            await self._send(server.reply(message, answer.status, answer.response))
            return
        data = frames.encode_binary_reply(message, answer.status, answer.document)
        async with self._sending:
            with suppress(WebSocketDisconnect, RuntimeError):
                await self._websocket.send_bytes(data)

    async def _send(self, message: Message) -> None:
        """Send; a peer that has gone is noticed where we read."""
        text = frames.encode_text(message)
        async with self._sending:
            with suppress(WebSocketDisconnect, RuntimeError):
                await self._websocket.send_text(text)

    def _push(self, topic: str, event: str, payload: JsonObject) -> None:
        message = self._connection.push(topic, event, payload)
        if message is not None:
            task = asyncio.create_task(self._send(message))
            self._pushes.add(task)
            task.add_done_callback(self._pushes.discard)

    async def _end(self, code: int) -> None:
        """The worker has gone: its channels end, claims it never joined return to the queue."""
        self._platform.workers.remove(self._worker)
        runs = frozenset(self._worker.runs)
        for topic in list(self._tasks):
            await self._stop(topic)
        log.info("worker.disconnected", id=self._worker.worker_id)
        database = self._platform.database
        for run_id, claim_id in self._worker.unjoined.items():
            back = partial(
                return_claim, run_id=run_id, claim_id=claim_id, why="its worker disconnected"
            )
            database.submit(back)
        if not self._platform.workers.is_connected(self._worker.worker_id):
            database.submit(
                partial(
                    record_seen,
                    connection=self._worker,
                    platform_id=self._platform.id,
                    gone=True,
                    runs=runs,
                )
            )
        if self._websocket.application_state is WebSocketState.CONNECTED:
            with suppress(Exception):
                await self._websocket.close(code)
