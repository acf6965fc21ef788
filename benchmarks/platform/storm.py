"""Webhooks while everything heavy goes on beside them, against a platform of its own process.

Janitor and chores are those of the platform. Retention removes old runs, collections are loaded,
`mb` megabytes of another collection are deleted, and backups are written, one after the other.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx

from benchmarks.bars import against, plain
from benchmarks.platform.load import SENDERS, Process, request, started, syncs
from benchmarks.yardstick import pace
from holdfast.platform.settings import Settings
from support.history import Size, load
from support.platform import PROJECT
from support.postgres import database_of

#: Runs that retention finds, and items in one request.
_RUNS, _ITEMS = 20_000, 1000
_LOADED = "loaded"
#: What a storm is made of; a short one may not come to the end of each.
_KINDS = ("backups", "items loaded", "items deleted", "runs removed")


@dataclass(slots=True)
class Senders:
    """How long each webhook took."""

    url: str
    taken: list[float] = field(default_factory=list)
    refused: int = 0

    async def send(self) -> None:
        host, _, port = self.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            while True:
                body = json.dumps({"n": len(self.taken)})
                began = time.perf_counter()
                if await request(reader, writer, f"{host}:{port}", body) == 200:
                    self.taken.append(time.perf_counter() - began)
                else:
                    self.refused += 1
        finally:
            writer.close()


@dataclass(slots=True)
class Others:
    """What is done beside the webhooks, in a process of its own: its work is not theirs."""

    data: Path
    client: httpx.AsyncClient
    done: Counter[str] = field(default_factory=Counter)

    async def load(self) -> None:
        """A million bytes and more in each request, whose items are new or change."""
        value = "x" * 1000
        while True:
            first = self.done["items loaded"] % 1_000_000
            items = [{"key": f"k{n}", "value": value} for n in range(first, first + _ITEMS)]
            await self._call("POST", f"/collections/{_LOADED}", {"items": items})
            self.done["items loaded"] += _ITEMS

    async def delete(self) -> None:
        """Once."""
        answer = await self._call("DELETE", "/collections/codes?key=*")
        self.done["items deleted"] += answer["deleted"]

    async def retain(self) -> None:
        """All runs but those of the last day, of each project of the history, again and again."""
        while True:
            found = await self._call("GET", "/api/projects")
            for project in found["data"]:
                if project["attributes"]["name"].startswith("district-"):
                    path = f"/api/projects/{project['id']}/retention"
                    await self._call("PUT", path, {"runs": 1})
                    removed = await self._call("POST", f"{path}/apply", {})
                    self.done["runs removed"] += removed["data"]["runs"]
            await asyncio.sleep(5)

    async def back_up(self) -> None:
        """The command, as another process."""
        while True:
            file = self.data / "storm.backup"
            asked = ("platform", "backup", str(file), "--data", str(self.data))
            found = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "holdfast.cli.main", *asked),
                env={**os.environ, **_address(self.data)},
                stdout=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # as from a timer
            )
            try:
                assert await found.wait() == 0
            finally:
                if found.returncode is None:
                    found.kill()
                    await found.wait()
            self.done["backups"] += 1
            file.unlink()

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        while True:
            answer = await self.client.request(method, path, json=body)
            if answer.status_code not in {429, 503}:
                break
            self.done["others refused"] += 1
            await asyncio.sleep(float(answer.headers.get("retry-after", 1)))
        assert answer.status_code < 300, answer.text
        return answer.json()


def storm(folder: Path, minutes: float, mb: int) -> None:
    """Bars: 300 webhooks/s on SQLite, 1,000/s on PostgreSQL, 99 of 100 within 50 ms."""
    with _loaded(folder, mb) as platform:
        plain("the disk alone: writes with a sync each", syncs(folder), "/s")
        before, began = platform.seconds, time.perf_counter()
        found, done = _all(platform, minutes)
        rate = len(found.taken) / (time.perf_counter() - began)
        used = (platform.seconds - before) / len(found.taken) * 1000
        taken = sorted(found.taken)
        bar = 1000 if database_of(platform.data) else 300
        against("webhooks in the storm", rate, bar, unit="/s", least=True, pace=pace())
        plain("… half of them within", taken[len(taken) // 2] * 1000, "ms")
        last = taken[len(taken) * 99 // 100] * 1000
        against("… 99 of 100 within", last, 50, unit="ms", pace=pace())
        plain("… the longest", taken[-1] * 1000, "ms")
        plain("… refused", found.refused, "")
        plain("… processor time of the platform, with all it did", used, "ms")
        for what in sorted({*_KINDS, *done}):
            plain(f"… {what}", done[what], "")
        plain("the disk alone: writes with a sync each", syncs(folder), "/s")


def _all(platform: Process, minutes: float) -> tuple[Senders, Counter[str]]:
    """Senders here, and all else in another process, for so long."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_beside, args=(platform.url, platform.data, theirs))
    process.start()
    try:
        senders = Senders(platform.url)
        asyncio.run(_for_a_time([senders.send] * SENDERS, asyncio.sleep(minutes * 60)))
        ours.send("end")
        return senders, ours.recv()
    finally:
        process.terminate()
        process.join()


def _beside(url: str, data: Path, told: Connection) -> None:
    """What a process of its own does until it is told to end; then it tells what it did."""
    os.nice(10)  # it stands for other machines
    told.send(asyncio.run(_others(url, data, told)))


async def _others(url: str, data: Path, told: Connection) -> Counter[str]:
    headers = {"authorization": f"Bearer {(data / 'admin-token').read_text()}"}
    async with httpx.AsyncClient(
        base_url=url, headers=headers, timeout=600, trust_env=False
    ) as client:
        others = Others(data, client)
        works = [others.load, others.delete, others.retain, others.back_up]
        await _for_a_time(works, asyncio.to_thread(told.recv))
        return others.done


async def _for_a_time(
    works: Sequence[Callable[[], Awaitable[None]]], end: Coroutine[None, None, Any]
) -> None:
    """Raises what one of them raises before the end."""
    tasks = [asyncio.ensure_future(work()) for work in works]
    ending = asyncio.ensure_future(end)
    try:
        left = {ending, *tasks}
        while ending in left:
            done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        for task in (ending, *tasks):
            task.cancel()
        await asyncio.gather(ending, *tasks, return_exceptions=True)


@contextmanager
def _loaded(folder: Path, mb: int) -> Iterator[Process]:
    """A platform with a history, and `mb` megabytes in one collection of it."""
    folder.mkdir(parents=True, exist_ok=True)
    url = Settings(data=folder, **database_of(folder)).database
    load(url, Size(_RUNS, items=mb * 1000), 1)
    project = {**PROJECT, "collections": [{"name": _LOADED}]}
    with started(folder, project) as platform:
        yield platform


def _address(data: Path) -> dict[str, str]:
    found = database_of(data).get("database_url")
    return {} if found is None else {"DATABASE_URL": found}
