"""The real platform and the real worker, each killed while runs are under way."""

from __future__ import annotations

import signal
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from holdfast.adaptors import Store
from support.adaptors import COMMON
from support.command import Command
from support.waiting import until
from support.worker import Worker, slow

RUNS = 4
TRIGGER, JOB = str(uuid.UUID(int=31)), str(uuid.UUID(int=32))
PROJECT = {
    "name": "survival",
    "workflows": [
        {
            "name": "Ticks",
            "jobs": [{"id": JOB, "name": "Tick", "body": slow(3), "adaptor": COMMON}],
            "triggers": [{"id": TRIGGER, "type": "webhook", "enabled": True}],
            "edges": [
                {"source_trigger_id": TRIGGER, "target_job_id": JOB, "condition_type": "always"}
            ],
        }
    ],
}


@dataclass
class Address:
    """Where the platform is, as the worker is told."""

    url: str
    secret: str


class Platform:
    """`holdfast platform` on one port, which may be killed and started again."""

    def __init__(self, data: Path) -> None:
        self.data = data
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.start()

    def start(self) -> None:
        self.command = Command("platform", "--data", str(self.data), "--port", str(self.port))
        self.command.wait_for_line("ready|listening|http://")

    @property
    def client(self) -> httpx.Client:
        token = (self.data / "admin-token").read_text().strip()
        headers = {"authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{self.port}"
        return httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False)

    @property
    def address(self) -> Address:
        secret = (self.data / "keys" / "worker-secret").read_text().strip()
        return Address(f"ws://127.0.0.1:{self.port}/worker", secret)

    def run(self, run_id: str) -> dict[str, Any]:
        with self.client as client:
            found: dict[str, Any] = client.get(f"/api/runs/{run_id}").json()["data"]["attributes"]
            return found

    def ticks(self, run_id: str) -> list[str]:
        with self.client as client:
            lines = client.get(f"/api/runs/{run_id}/logs").json()["data"]
        return [line["message"] for line in lines if line["message"].startswith("tick")]


async def test_platform_and_agent_die_and_nothing_is_lost_or_doubled(
    tmp_path: Path, adaptor_store: Store
) -> None:
    async def story(platform: Platform) -> None:
        with platform.client as client:
            assert client.post("/api/provision", json=PROJECT).status_code == 201
            runs = [
                client.post(f"/i/{TRIGGER}", json={}).headers["x-meta-run-id"] for _ in range(RUNS)
            ]
        options = {"WORKER_REPO_DIR": adaptor_store.root}
        async with Worker(platform.address, tmp_path / "worker", **options) as worker:
            await until(lambda: all(platform.run(run)["state"] == "started" for run in runs))
            await until(lambda: all("tick 1" in platform.ticks(run) for run in runs))
            platform.command.stop(signal.SIGKILL)
            worker.kill_agent()
            platform.start()
            await until(lambda: all(platform.run(run)["state"] == "success" for run in runs))
            for run in runs:
                assert platform.ticks(run) == [f"tick {n}" for n in range(10)]
            assert await worker.end() == 0

    platform = Platform(tmp_path / "platform")
    try:
        await story(platform)
    finally:
        platform.command.kill()
