"""A disk that is full or read-only, and a worker that is process 1: in namespaces of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from holdfast.testing.platform import TwinPlatform, one_job_plan
from holdfast.testing.twin_run import TwinRun
from support.waiting import until
from support.worker import QUICK, Worker, alive, children, slow


def _permitted(*arguments: str) -> bool:
    done = subprocess.run(["unshare", *arguments, "true"], capture_output=True, check=False)
    return done.returncode == 0


mounts = pytest.mark.skipif(
    not _permitted("--mount"), reason="this user may not make a mount namespace"
)
pids = pytest.mark.skipif(
    not _permitted("--pid", "--fork", "--mount-proc"),
    reason="this user may not make a process namespace",
)

MEGABYTE = 1024 * 1024
#: Logs without end, far more than any room kept ahead.
CHATTY = (
    "export default [async () => { for (;;) { console.log('x'.repeat(2000));"
    " await new Promise(done => setTimeout(done, 1)); } }];"
)


class Mounted(Worker):
    """A worker whose data folder is a small disk of its own, which only it sees."""

    def set_up(self, data: Path, megabytes: int) -> None:
        """`data` is seen from outside through the worker's root."""
        self.log = data.parent / "worker.log"
        script = f'mount -t tmpfs -o size={megabytes}m disk "$0" && exec "$@"'
        self.prefix = ["unshare", "--mount", "sh", "-c", script, str(data)]

    @property
    def inside(self) -> Path:
        return Path(f"/proc/{self.pid}/root{self.environment['HOLDFAST_DATA']}")

    def run(self, *command: str) -> None:
        """A command that sees what this worker sees."""
        where = ["nsenter", f"--mount=/proc/{self.pid}/ns/mnt"]
        subprocess.run([*where, *command], check=True, capture_output=True)


def free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


async def reasons(url: str) -> list[str]:
    """Why the worker is not ready."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        answer = await client.get("/readyz")
        return [] if answer.status_code == 200 else list(answer.json()["reasons"])


async def ready_again(url: str) -> None:
    deadline = asyncio.get_running_loop().time() + 30
    while await reasons(url):
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.05)


async def succeeds(platform: TwinPlatform) -> TwinRun:
    run = platform.enqueue(one_job_plan(QUICK), input={})
    await platform.until(lambda: run.final)
    assert run.state == "success"
    return run


@mounts
async def test_a_full_disk_ends_what_cannot_go_on_and_nothing_is_lost(tmp_path: Path) -> None:
    """No byte is left while a run writes: its end still fits, it is told, and work goes on."""

    data = tmp_path / "d"
    async with TwinPlatform() as platform:
        worker = Mounted(platform, data)
        worker.set_up(data, 400)
        async with worker:
            url = await worker.ready()
            quiet = platform.enqueue(one_job_plan(slow(4)), input={})
            chatty = platform.enqueue(one_job_plan(CHATTY), input={})
            await platform.until(lambda: "tick 1" in quiet.logs and len(chatty.logs) > 3)
            filler = worker.inside / "filler"
            with filler.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(64 * 1024))
                except OSError:
                    pass
            await platform.until(lambda: chatty.final and quiet.final)
            assert chatty.outcome is not None
            assert chatty.outcome["reason"] == "exception"
            assert "disk" in str(chatty.outcome["error_message"])
            assert len(chatty.steps) == 1
            assert quiet.state == "success", "it fits into what was kept for it"
            waiting = platform.enqueue(one_job_plan(QUICK), input={})
            platform.push("worker:queue", "work-available", {})
            assert await reasons(url) == ["the disk is nearly full"]
            assert waiting.state == "available", "no claims on a full disk"
            filler.unlink()
            await platform.until(lambda: waiting.final)
            assert waiting.state == "success"
            for run in (quiet, chatty, waiting):
                assert run.names().count("run:complete") == 1
            journals = worker.inside / "journals"
            await worker.until(lambda: not list(journals.iterdir()))
            assert await worker.end() == 0


@mounts
async def test_a_disk_that_turns_read_only_stops_claims_until_it_returns(tmp_path: Path) -> None:
    data = tmp_path / "d"
    async with TwinPlatform() as platform:
        worker = Mounted(platform, data)
        worker.set_up(data, 1000)
        async with worker:
            url = await worker.ready()
            await succeeds(platform)
            journals = str(data / "journals")
            await worker.until(lambda: not list((worker.inside / "journals").iterdir()))
            worker.run("mount", "--bind", journals, journals)
            worker.run("mount", "-o", "remount,bind,ro", journals)
            for _ in range(2):  # a claim that was under way before is answered meanwhile
                assert await reasons(url) == ["the data folder cannot be written to"]
            waiting = platform.enqueue(one_job_plan(QUICK), input={})
            platform.push("worker:queue", "work-available", {})
            assert await reasons(url) == ["the data folder cannot be written to"]
            claims = len(platform.claims)
            assert waiting.state == "available"
            worker.run("umount", journals)
            await platform.until(lambda: waiting.final)
            assert waiting.state == "success"
            assert len(platform.claims) > claims
            await ready_again(url)
            assert await worker.end() == 0


@mounts
async def test_a_start_on_a_read_only_disk_says_so_and_the_next_one_goes_on(
    tmp_path: Path,
) -> None:
    """A run was interrupted; the disk comes back read-only at first, as after a bad mount."""

    data = tmp_path / "d"
    async with TwinPlatform() as platform, Worker(platform, data) as worker:
        worker.log = tmp_path / "worker.log"
        run = platform.enqueue(one_job_plan(slow(30)), input={})
        await platform.until(lambda: "tick 1" in run.logs)
        worker.kill_everything()
        script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
        worker.prefix = ["unshare", "--mount", "sh", "-c", script, str(data)]
        worker.start()
        assert worker.process is not None
        assert await asyncio.to_thread(worker.process.wait, 30) == 2
        assert "The data folder" in worker.text()
        assert "Traceback" not in worker.text()
        assert "Read-only file system" in worker.text()
        assert not run.final
        worker.prefix = []
        worker.start()
        await platform.until(lambda: run.final)
        assert run.outcome is not None
        assert run.outcome["reason"] == "exception"
        assert len(run.steps) == 1
        assert await worker.end() == 0


@pids
@pytest.mark.parametrize(("drain", "code"), [(600, 0), (0.5, 3)])
async def test_a_worker_that_is_process_1_reaps_drains_and_says_how_it_ended(
    drain: float, code: int, tmp_path: Path
) -> None:
    options = {"WORKER_DRAIN_TIMEOUT_SECONDS": drain}
    async with TwinPlatform() as platform:
        worker = Worker(platform, tmp_path, **options)
        worker.prefix = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
        async with worker:
            await worker.ready()
            (first,) = children(worker.pid)
            assert inner_pid(first) == 1
            run = platform.enqueue(one_job_plan(slow(3 if code == 0 else 30)), input={})
            await platform.until(lambda: "tick 1" in run.logs)
            orphan = await adopt_an_orphan(first)
            await until(lambda: not Path(f"/proc/{orphan}").exists())
            await until(lambda: not zombies(first))
            os.kill(first, signal.SIGTERM)
            assert worker.process is not None
            assert await asyncio.to_thread(worker.process.wait, 30) == code
            assert run.final
            assert (run.state == "success") is (code == 0)
            assert not alive(first)


def inner_pid(pid: int) -> int:
    """The number of a process in its own namespace."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("NSpid:")]
    return int(line.split()[-1])


async def adopt_an_orphan(first: int) -> int:
    """Leave a process to process 1, and let it die: its number, seen from outside."""
    command = ["nsenter", f"--target={first}", "--pid", "--mount"]
    before = set(children(first))
    script = "sleep 1000 </dev/null >/dev/null 2>&1 &"
    left = await asyncio.create_subprocess_exec(*command, "sh", "-c", script)
    assert await left.wait() == 0

    def sleeper() -> int | None:
        for pid in set(children(first)) - before:
            if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep\0"):
                return pid
        return None

    await until(sleeper)
    pid = sleeper()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def zombies(parent: int) -> list[int]:
    return [pid for pid in children(parent) if not alive(pid)]
