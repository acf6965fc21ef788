"""Senders of requests: each is sent again until it is answered. What they were told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random

import httpx

from cluster.scene import ASKED, SENT, Platform

#: Each so many-th caller waits for the end of the run.
_ASKED_EVERY = 4
_SENDERS = 8
#: Answers after which the same request is sent again: too many, or none that a platform gives.
_AGAIN = frozenset({429, 502, 503, 504})


@dataclass(slots=True)
class Load:
    """Requests with the numbers from 0 on."""

    random: Random
    platforms: list[Platform]
    runs: int
    #: By number: the run that was told for it.
    told: dict[int, str] = field(default_factory=dict)
    again: int = 0
    problems: list[str] = field(default_factory=list)
    _next: int = 0

    async def send(self) -> None:
        """Send all of them, and wait for all answers."""
        async with (
            httpx.AsyncClient(trust_env=False, timeout=15) as client,
            asyncio.TaskGroup() as tasks,
        ):
            for _ in range(_SENDERS):
                tasks.create_task(self._sender(client))

    async def _sender(self, client: httpx.AsyncClient) -> None:
        while (number := self._next) < self.runs:
            self._next += 1
            await self._until_answered(client, number)

    async def _until_answered(self, client: httpx.AsyncClient, number: int) -> None:
        waits = number % _ASKED_EVERY == 0
        trigger = ASKED if waits else SENT
        headers = {"idempotency-key": f"request {number}"}
        while True:
            url = f"{self.random.choice(self.platforms).url}/i/{trigger}"
            try:
                answer = await client.post(url, json={"n": number}, headers=headers)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code not in _AGAIN:
                self._note(number, answer, waits=waits)
                return
            self.again += 1
            await asyncio.sleep(0.2)

    def _note(self, number: int, answer: httpx.Response, *, waits: bool) -> None:
        if answer.status_code not in {200, 201}:
            self.problems.append(f"request {number}: {answer.status_code} {answer.text[:200]}")
            return
        self.told[number] = answer.headers["x-meta-run-id"]
        if waits:
            said = answer.json()
            if said["meta"]["state"] == "success" and said["data"].get("data") != {"n": number}:
                self.problems.append(f"request {number}: another's answer, {said['data']}")
