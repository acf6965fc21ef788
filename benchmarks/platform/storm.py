"""Webhooks while everything heavy goes on beside them, against a platform of its own process.

Janitor and chores are those of the platform. Retention removes old runs, collections are loaded,
`mb` megabytes of another collection are deleted, and backups are written, one after the other.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
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
class Storm:
    """What was done beside the webhooks, and how long each of these took."""

    platform: Process
    client: httpx.AsyncClient
    taken: list[float] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    async def webhooks(self) -> None:
        host, _, port = self.platform.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            while True:
                body = json.dumps({"n": len(self.taken)})
                began = time.perf_counter()
                if await request(reader, writer, f"{host}:{port}", body) == 200:
                    self.taken.append(time.perf_counter() - began)
                else:
                    self.done["webhooks refused"] += 1
        finally:
            writer.close()

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
            file = self.platform.data / "storm.backup"
            asked = ("platform", "backup", str(file), "--data", str(self.platform.data))
            found = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "holdfast.cli.main", *asked),
                env={**os.environ, **_address(self.platform.data)},
                stdout=asyncio.subprocess.DEVNULL,
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
        found = asyncio.run(_all(platform, minutes))
        rate = len(found.taken) / (time.perf_counter() - began)
        used = (platform.seconds - before) / len(found.taken) * 1000
        taken = sorted(found.taken)
        bar = 1000 if database_of(platform.data) else 300
        against("webhooks in the storm", rate, bar, unit="/s", least=True, pace=pace())
        plain("… half of them within", taken[len(taken) // 2] * 1000, "ms")
        last = taken[len(taken) * 99 // 100] * 1000
        against("… 99 of 100 within", last, 50, unit="ms", pace=pace())
        plain("… the longest", taken[-1] * 1000, "ms")
        plain("… processor time of the platform, with all it did", used, "ms")
        for what in sorted({*_KINDS, *found.done}):
            plain(f"… {what}", found.done[what], "")
        plain("the disk alone: writes with a sync each", syncs(folder), "/s")


async def _all(platform: Process, minutes: float) -> Storm:
    token = (platform.data / "admin-token").read_text()
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        base_url=platform.url, headers=headers, timeout=600, trust_env=False
    ) as client:
        found = Storm(platform, client)
        works: list[Callable[[], Awaitable[None]]] = [found.webhooks] * SENDERS
        works += [found.load, found.delete, found.retain, found.back_up]
        tasks = [asyncio.ensure_future(work()) for work in works]
        with suppress(TimeoutError):
            async with asyncio.timeout(minutes * 60):
                await asyncio.gather(*tasks)
                await asyncio.Event().wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return found


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
