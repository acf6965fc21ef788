"""Webhooks and log lines against a platform that is a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.bars import against, plain
from benchmarks.processes import own_seconds
from benchmarks.yardstick import pace
from holdfast.adaptors import Store
from holdfast.platform.access.keys import load_keys
from holdfast.protocol.tokens import sign_worker_token
from support.adaptors import COMMON
from support.command import ROOT, Command
from support.platform import PROJECT, TRIGGER, FrameWorker, RunTalk
from support.postgres import database_of

#: Connections that send at once, and webhooks of each.
SENDERS, EACH = 16, 250
LINES, BATCH = 100_000, 200
_SYNCS = 200


@dataclass(frozen=True, slots=True)
class Process:
    """A platform that was started with its command."""

    command: Command
    url: str
    worker_url: str
    data: Path

    @property
    def seconds(self) -> float:
        """Processor time that it has used."""
        return own_seconds(self.command.process.pid)


@contextmanager
def started(data: Path, project: Any = PROJECT) -> Iterator[Process]:
    """A platform with one project deployed."""
    address = database_of(data).get("database_url")
    others = {} if address is None else {"DATABASE_URL": address}
    store = Store(ROOT / ".cache" / "adaptors")
    asyncio.run(store.ensure([COMMON]))
    command = Command(
        *("platform", "--data", str(data), "--port", "0"),
        env={
            "WORKER_REPO_DIR": str(store.root),
            "HOLDFAST_WEBHOOKS_PER_SECOND": "100000",  # one sender's limit is not what is measured
            **others,
        },
    )
    try:
        worker = command.wait_for_line(r"WORKER_LIGHTNING_SERVICE_URL=(\S+)")[1]
        url = command.wait_for_line(r"^platform +(\S+)")[1]
        token = (data / "admin-token").read_text()
        headers = {"authorization": f"Bearer {token}"}
        answer = httpx.post(f"{url}/api/provision", json=_installed(project), headers=headers)
        assert answer.status_code == 201, answer.text
        yield Process(command, url, worker, data)
    finally:
        command.kill()


def _installed(project: Any) -> Any:
    """The project with an adaptor that is installed."""
    return json.loads(re.sub(r"@openfn/language-common@[\w.]+", COMMON, json.dumps(project)))


def webhooks(platform: Process) -> None:
    """So many at once, each answered after its commit. Beside it, what the disk can do."""
    before, began = platform.seconds, time.perf_counter()
    taken = sorted(asyncio.run(_all(platform)))
    rate = len(taken) / (time.perf_counter() - began)
    used = (platform.seconds - before) / len(taken) * 1000
    bar = 1000 if database_of(platform.data) else 300
    against(f"webhooks, {SENDERS} at a time", rate, bar, unit="/s", least=True, pace=pace())
    plain("… half of them within", taken[len(taken) // 2] * 1000, "ms")
    against("… 99 of 100 within", taken[len(taken) * 99 // 100] * 1000, 50, unit="ms", pace=pace())
    plain("… processor time of the platform, each", used, "ms")
    plain("the disk alone: writes with a sync each", syncs(platform.data), "/s")


async def _all(platform: Process) -> list[float]:
    found = await asyncio.gather(*(_sender(platform, number) for number in range(SENDERS)))
    return [one for many in found for one in many]


async def _sender(platform: Process, number: int) -> list[float]:
    """Seconds of each request on one connection. A client library would take processor time."""
    host, _, port = platform.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    taken = []
    for count in range(EACH):
        body = json.dumps({"n": number, "count": count})
        began = time.perf_counter()
        status = await request(reader, writer, f"{host}:{port}", body)
        assert status == 200, status
        taken.append(time.perf_counter() - began)
    writer.close()
    await writer.wait_closed()
    return taken


async def request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, body: str
) -> int:
    """Send one to the webhook, and read the answer; its status."""
    head = (
        f"POST /i/{TRIGGER} HTTP/1.1\r\nHost: {host}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write((head + body).encode())
    answer = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = answer.partition(b"content-length: ")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
    return int(answer.split(b" ", 2)[1])


def syncs(folder: Path) -> float:
    """Writes a second that are on the disk before the next one begins."""
    path = folder / "syncs"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    began = time.perf_counter()
    try:
        for _ in range(_SYNCS):
            os.write(descriptor, bytes(4096))
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
        path.unlink()
    return _SYNCS / (time.perf_counter() - began)


def lines(platform: Process) -> None:
    """Lines of one run's log in batches over a real socket, all on the disk when answered."""
    secret = load_keys(platform.data, {}).worker_secret
    token = sign_worker_token(secret, "bench", int(time.time()))
    httpx.post(f"{platform.url}/i/{TRIGGER}", json={}).raise_for_status()
    with FrameWorker(platform.worker_url, {"token": token}) as worker:
        talk = worker.take()
        talk.start()
        before, began = platform.seconds, time.perf_counter()
        refs = [send_batch(talk, BATCH) for _ in range(LINES // BATCH)]
        for ref in refs:
            assert worker.reply(ref)["status"] == "ok"
        rate = LINES / (time.perf_counter() - began)
        used = (platform.seconds - before) / LINES * 1_000_000
    text = f"log lines in batches of {BATCH}"
    against(text, rate, 20_000, unit="lines/s", least=True, pace=pace())
    plain("… processor time of the platform, each line", used, "µs")


def send_batch(talk: RunTalk, count: int) -> str:
    """Send lines without waiting; the ref of the answer."""
    found = [
        {"message": [f"line {n}", {"n": n}], "timestamp": talk.now(), "source": "JOB",
         "level": "info", "id": str(uuid.uuid4())}
        for n in range(count)
    ]  # fmt: skip
    return talk.worker.send(f"run:{talk.id}", "run:batch_logs", {"run_id": talk.id, "logs": found})
