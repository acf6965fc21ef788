"""A stand-in for the reference's worker: claims, executes nothing, completes; drains on SIGTERM.

It speaks the protocol as the reference does: no journal, nothing sent twice. The environment is
that of the reference. The real one cannot be installed from a registry.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import time
import uuid
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from holdfast.protocol.tokens import sign_worker_token
from holdfast.worker.connection import endpoint

_QUEUE = "worker:queue"


class OldWorker:
    """One run at a time."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._refs = itertools.count(1)

    async def push(self, topic: str, event: str, payload: Any, join_ref: str) -> Any:
        """Send, and the response of its reply; other messages are not waited for."""
        ref = str(next(self._refs))
        await self._socket.send(json.dumps([join_ref, ref, topic, event, payload]))
        while True:
            data = await self._socket.recv()
            if isinstance(data, bytes):
                return None  # an input dataclip
            _, answered, _, name, body = json.loads(data)
            if name == "phx_reply" and answered == ref:
                assert body["status"] == "ok", body
                return body["response"]

    async def work(self, stop: asyncio.Event) -> None:
        """Claim and complete until it is stopped."""
        await self.push(_QUEUE, "phx_join", {"capacity": 1, "queues": {"manual>*": 1}}, "q")
        while not stop.is_set():
            claim = {"demand": 1, "worker_name": None, "queues": ["manual", "*"]}
            runs = (await self.push(_QUEUE, "claim", claim, "q"))["runs"]
            for run in runs:
                await self.execute(run["id"], run["token"])
            if not runs:
                await asyncio.sleep(0.05)

    async def execute(self, run: str, token: str) -> None:
        """Every event of a run of one step."""
        topic, step, clip = f"run:{run}", str(uuid.uuid4()), str(uuid.uuid4())
        await self.push(topic, "phx_join", {"token": token}, run)
        plan = await self.push(topic, "fetch:plan", {}, run)
        job, now = plan["jobs"][0]["id"], str(time.time_ns() // 1000)
        await self.push(topic, "run:start", {"timestamp": now, "versions": {}}, run)
        started = {"step_id": step, "job_id": job, "timestamp": now}
        await self.push(topic, "step:start", started, run)
        ended = {
            **started, "reason": "success", "error_type": None, "error_message": None,
            "output_dataclip_id": clip, "output_dataclip": '{"data":{"n":1}}',
        }  # fmt: skip
        await self.push(topic, "step:complete", ended, run)
        whole = {
            "timestamp": now, "reason": "success", "error_type": None, "error_message": None,
            "final_dataclip_id": clip,
        }  # fmt: skip
        await self.push(topic, "run:complete", whole, run)
        await self.push(topic, "phx_leave", {}, run)


async def main() -> None:
    """Connect and work until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    token = sign_worker_token(os.environ["WORKER_SECRET"], "old", int(time.time()))
    async with connect(endpoint(os.environ["WORKER_LIGHTNING_SERVICE_URL"], token)) as socket:
        await OldWorker(socket).work(stop)


if __name__ == "__main__":
    asyncio.run(main())
