"""What systemd is told: ready, alive, stopping."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from holdfast.testing.platform import TwinPlatform
from support.worker import Worker


async def test_systemd_hears_that_the_worker_is_ready_alive_and_stopping(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        loop = asyncio.get_running_loop()
        heard: list[bytes] = []

        async def hear(state: bytes, times: int) -> None:
            async with asyncio.timeout(30):
                while heard.count(state) < times:
                    heard.append(await loop.sock_recv(listening, 100))

        told = {"NOTIFY_SOCKET": tmp_path / "notify", "WATCHDOG_USEC": 200_000}
        async with TwinPlatform() as platform, Worker(platform, tmp_path, **told) as worker:
            await hear(b"READY=1", 1)
            await hear(b"WATCHDOG=1", 3)
            assert await worker.end() == 0
            await hear(b"STOPPING=1", 1)
