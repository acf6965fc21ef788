"""Errors of a worker reach Sentry, by the reference's variables, without secrets."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

from holdfast.testing.platform import Do, TwinPlatform, one_job_plan
from support.streams import served
from support.worker import QUICK, Worker


async def test_what_the_log_warns_of_is_reported(tmp_path: Path) -> None:
    received: list[bytes] = []
    arrived = asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        received.append(gzip.decompress(body) if b"gzip" in head else body)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        arrived.set()

    async with served(take) as port, TwinPlatform() as platform:
        told = {"WORKER_SENTRY_DSN": f"http://key@127.0.0.1:{port}/1", "WORKER_SENTRY_ENV": "prod"}
        async with Worker(platform, tmp_path, **told):
            run = platform.enqueue(one_job_plan(QUICK), input={})
            platform.order("fetch:plan", Do.REFUSE, response={"reason": "gone"}, run=run.id)
            await platform.until(lambda: run.final)
            async with asyncio.timeout(30):
                await arrived.wait()
    text = b"".join(received).decode()
    assert "run.not_prepared" in text
    assert run.id in text
    assert '"environment":"prod"' in text.replace(" ", "")
    assert platform.secret not in text
