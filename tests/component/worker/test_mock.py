"""`-l mock`: a worker tried on the platform that `python -m holdfast.testing.mock` is."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

from holdfast.testing import mock as platform
from holdfast.testing.platform import TwinPlatform
from holdfast.worker.config import MOCK_SECRET, MOCK_URL
from support.waiting import eventually
from support.worker import Worker


async def test_a_worker_completes_the_sample_run(tmp_path: Path) -> None:
    mock = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "holdfast.testing.mock", "0"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert mock.stdout is not None
    try:
        async with asyncio.timeout(60):
            url = (await mock.stdout.readline()).decode().split()[2].rstrip(";")
            address = {"WORKER_LIGHTNING_SERVICE_URL": url, "WORKER_SECRET": MOCK_SECRET}
            async with Worker(TwinPlatform(), tmp_path, **address):
                while b"run:complete" not in await mock.stdout.readline():
                    pass
    finally:
        mock.kill()
        await mock.wait()


def test_the_word_mock_starts_the_platform_which_ends_with_the_worker() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = (
        "import sys; from holdfast.cli.worker import start_mock;"
        f" start_mock({port}); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as starter:
        eventually(lambda: listens(port), "it listens")
        starter.kill()
    eventually(lambda: not listens(port), "it ended with who started it")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_word_mock_leads_there() -> None:
    assert f"ws://localhost:{platform.MOCK_PORT}/worker" == MOCK_URL
    assert platform.MOCK_SECRET == MOCK_SECRET
