"""Every block of docs/replace-the-openfn-worker.md, in the middle of a queue, there and back."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

from holdfast.testing.platform import TwinPlatform, one_job_plan
from holdfast.testing.twin_run import TwinRun
from support.worker import QUICK

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "replace-the-openfn-worker.md"
#: `python -m tests.reference replace KIT` puts the reference's own worker in its place.
STAND_IN = f"{sys.executable} -P -W error {ROOT / 'tests/support/old_worker.py'}"


def blocks() -> dict[str, list[str]]:
    """The shell blocks of each section."""
    sections = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    found = {
        text.splitlines()[0]: re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for text in sections
    }
    return {title: commands for title, commands in found.items() if commands}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_every_block_of_the_page_runs_and_no_run_is_lost(tmp_path: Path) -> None:
    sections = blocks()
    assert list(sections) == ["1. Check", "2. Exchange", "3. Go back"]
    assert PAGE.read_text().count("```") == 2 * sum(map(len, sections.values()))

    async with TwinPlatform() as platform:
        old = os.environ.get("HOLDFAST_OLD_WORKER", STAND_IN)
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path), "HOLDFAST_DATA": str(tmp_path / "data"),
            "WORKER_SECRET": platform.secret, "WORKER_PORT": str(free_port()),
            "WORKER_LIGHTNING_SERVICE_URL": platform.url, "WORKER_BACKOFF": "0.1/0.5",
            "WORKER_CAPACITY": "1", "OLD_WORKER": old,
        }  # fmt: skip
        runs: list[TwinRun] = []

        def more(number: int) -> None:
            runs.extend(platform.enqueue(one_job_plan(QUICK), input={}) for _ in range(number))

        def waiting() -> int:
            return sum(run.state == "available" for run in runs)

        first = await asyncio.create_subprocess_exec(*old.split(), env=environment)
        try:
            environment["OLD_PID"] = str(first.pid)
            more(3)
            await platform.until(lambda: all(run.final for run in runs), 200)
            for block in sections["1. Check"]:
                await run_block(block, environment)
            more(100)
            stop, start = sections["2. Exchange"]
            await run_block(stop, environment)
            assert (await first.wait(), waiting() > 0) == (0, True), "in the middle of a queue"
            left = waiting()
            await run_block(start, environment)
            await platform.until(lambda: waiting() < left - 3, 200)
            stop, start = sections["3. Go back"]
            await run_block(stop, environment)
            assert waiting() > 0, "in the middle of a queue"
            await run_block(start, environment)
            await platform.until(lambda: all(run.final for run in runs), 200)
        finally:
            for name in ("pid", "old-pid"):
                with suppress(OSError):
                    os.kill(int((tmp_path / "data" / name).read_text()), signal.SIGKILL)
            if first.returncode is None:
                first.kill()
        assert {run.state for run in runs} == {"success"}
        assert {run.claims for run in runs} == {1}
        (log,) = (tmp_path / "data").glob("worker.log")
        assert log.read_text().count("run.done") > 2


async def run_block(block: str, environment: dict[str, str]) -> None:
    """As a person would: in a shell that stops at the first error. What it starts goes on."""
    done = await asyncio.create_subprocess_exec(
        "sh", "-eu", "-c", block, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(200):
        text, _ = await done.communicate()
    assert done.returncode == 0, f"{block}\n{text.decode()}"
