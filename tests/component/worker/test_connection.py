"""What a connection that does not come about does, and does not, say."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from holdfast import log
from holdfast.worker.connection import Connection
from holdfast.worker.deflate import LARGE
from holdfast.worker.dial import Dial

#: One that is compressed in a thread, one that is where it is sent, and one that is not.
TEXTS = ["ä" * LARGE, "b" * 2000, "c"]
SECRET = "eyJ.token-of_this.test"


@pytest.mark.parametrize("host", ["http://127.0.0.1:9", "ws://127.0.0.1:99999", "ws://u@:9"])
async def test_a_redirect_to_nowhere_is_tried_again_and_tells_no_token(
    host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the address, as a server does that wants another scheme, with all that is in it."""
    asked: list[str] = []
    again = asyncio.Event()

    def redirect(connection: ServerConnection, request: Request) -> Response:
        asked.append(request.path)
        if len(asked) > 1:
            again.set()
        response = connection.respond(HTTPStatus.FOUND, "")
        response.headers["Location"] = host + request.path
        return response

    async def nothing(_: ServerConnection) -> None:
        return

    async def story() -> None:
        log.set_up("error")
        async with serve(nothing, "127.0.0.1", 0, process_request=redirect) as server:
            port = server.sockets[0].getsockname()[1]
            connection = Connection(f"ws://127.0.0.1:{port}/worker", lambda: SECRET)
            running = asyncio.create_task(connection.run())
            second = asyncio.create_task(again.wait())
            await asyncio.wait({running, second}, return_when=asyncio.FIRST_COMPLETED, timeout=10)
            assert again.is_set()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    await story()
    said = capsys.readouterr().err
    assert "connection.failed" in said
    assert SECRET not in said


class Elsewhere(Dial):
    """A platform that has a name as one elsewhere has, and is here."""

    def options(self, url: str) -> dict[str, Any]:
        return super().options(url) | {"host": "127.0.0.1"}


async def test_what_goes_to_another_machine_is_compressed_and_keeps_its_order() -> None:
    packed: list[str] = []

    async def answer(socket: ServerConnection) -> None:
        packed.extend(extension.name for extension in socket.protocol.extensions)
        async for text in socket:
            join_ref, ref, topic, _, payload = json.loads(text)
            reply = {"status": "ok", "response": payload}
            await socket.send(json.dumps([join_ref, ref, topic, "phx_reply", reply]))

    async with serve(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"ws://platform.example:{port}/worker"
        connection = Connection(url, lambda: SECRET, dial=Elsewhere())
        running = asyncio.create_task(connection.run())
        joined = asyncio.Event()
        channel = connection.join("run:1", {}, timeout=10)
        channel.on_change = joined.set
        await asyncio.wait_for(joined.wait(), 10)
        answers = await asyncio.gather(*(channel.request("say", {"t": t}, 10) for t in TEXTS))
        assert [answer["t"] for answer in answers if isinstance(answer, dict)] == TEXTS
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert packed == ["permessage-deflate"]
