"""What runs in the cluster: the project, its platforms, and the world that jobs touch."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from holdfast.platform.access.keys import load_keys
from support.adaptors import COMMON
from support.waiting import Probe, until
from support.worker import Worker

#: Jobs and triggers, by their workflow.
JOB, CRON_JOB, SENT, ASKED, CRON = (str(uuid.UUID(int=n)) for n in (71, 72, 73, 74, 75))
ASKED_JOB = str(uuid.UUID(int=76))
LINES = 3


def project(effects: int) -> dict[str, Any]:
    """Three workflows: of requests, of callers who wait for the answer, and of each minute."""
    body = (
        "fn(async state => { const n = state.data.n;"
        f" await fetch(`http://127.0.0.1:{effects}/${{n}}/job`);"
        f" for (let i = 0; i < {LINES}; i++) console.log('run', n, 'line', i);"
        " await new Promise(done => setTimeout(done, 50)); return { data: { n } }; });"
    )
    webhook = {"type": "webhook", "enabled": True}
    asked = {"id": ASKED, **webhook, "webhook_reply": "after_completion"}
    cron = {"id": CRON, "type": "cron", "enabled": True, "cron_expression": "* * * * *",
            "cron_catch_up": "all"}  # fmt: skip
    return {
        "id": str(uuid.UUID(int=70)),
        "name": "cluster",
        "workflows": [
            _workflow("Sent", JOB, body, {"id": SENT, **webhook}),
            _workflow("Asked", ASKED_JOB, body, asked),
            _workflow("Timed", CRON_JOB, "fn(state => state);", cron),
        ],
    }


def _workflow(name: str, job: str, body: str, trigger: dict[str, Any]) -> dict[str, Any]:
    edge = {"source_trigger_id": trigger["id"], "target_job_id": job, "condition_type": "always"}
    one = {"id": job, "name": name, "body": body, "adaptor": COMMON}
    return {"name": name, "jobs": [one], "triggers": [trigger], "edges": [edge]}


@dataclass
class Address:
    """What a worker needs to know of a platform."""

    url: str
    secret: str


class Platform:
    """`holdfast platform` as a process on one port, started again when it has died."""

    def __init__(self, data: Path, database: str) -> None:
        self.data, self.log = data, data / "platform.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.keys = load_keys(data, {})
        self.address = Address(f"ws://127.0.0.1:{self.port}/worker", self.keys.worker_secret)
        self._environment = {
            "PATH": os.environ["PATH"], "HOME": str(data), "DATABASE_URL": database,
        }  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None
        self._earlier = 0

    def beside(self, data: Path) -> Platform:
        """Another one, with the same keys."""
        shutil.copytree(self.data / "keys", data / "keys")
        return Platform(data, self._environment["DATABASE_URL"])

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def served(self) -> bool:
        """Whether it listened since it was started last."""
        return "platform   http" in self.log.read_text()[self._earlier :]

    def start(self) -> None:
        self._earlier = len(self.log.read_text()) if self.log.exists() else 0
        command = ["-m", "holdfast.cli.main", "platform", "--data", str(self.data)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command, "--port", str(self.port)],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def ready(self) -> None:
        async with self.client() as client:

            async def answers() -> bool:
                try:
                    return (await client.get("/ready")).status_code == 200
                except httpx.TransportError:
                    return False

            probe: Probe[bool] = answers
            await until(probe, lambda: self.log.read_text()[-3000:], 60)

    def client(self) -> httpx.AsyncClient:
        """Of an administrator."""
        headers = {"authorization": f"Bearer {self.keys.admin_token}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30, trust_env=False)


def workers(platforms: list[Platform], data: Path, number: int, store: Path) -> list[Worker]:
    """Each on the next platform."""
    return [
        Worker(
            platforms[n % len(platforms)].address,
            data / f"worker{n}",
            WORKER_NAME=f"worker{n}",
            WORKER_CAPACITY=3,
            WORKER_REPO_DIR=store,
            WORKER_LOG_LEVEL="info",
        )
        for n in range(number)
    ]
