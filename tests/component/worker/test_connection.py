"""What a connection that does not come about does, and does not, say."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from holdfast import log
from holdfast.worker.connection import Connection

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
