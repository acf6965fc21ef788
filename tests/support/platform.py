"""A real platform for tests, and a worker that is nothing but frames."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from sqlalchemy import Connection, Row, select, update
from websockets.sync.client import ClientConnection, connect

from holdfast.platform.app import CHORES
from holdfast.platform.project.provision import from_payload
from holdfast.platform.serve import Listening, serve
from holdfast.platform.service import Chore, Platform
from holdfast.platform.settings import Settings
from holdfast.platform.start.actions import start_run
from holdfast.platform.store import tables as t
from holdfast.platform.store.database import Database, Transaction
from holdfast.platform.store.dataclips import insert_clip
from holdfast.platform.store.notice import Notice
from holdfast.platform.store.projects import import_project
from holdfast.platform.store.queue import Claimed, claim
from holdfast.platform.store.runs import Start, create_work_order, find_run
from holdfast.protocol.messages import Claim
from holdfast.protocol.tokens import sign_worker_token
from support.furnished import furnish
from support.postgres import database_of
from support.waiting import eventually

T = TypeVar("T")

PROJECT: dict[str, Any] = {
    "name": "demo",
    "workflows": [
        {
            "name": "Referrals",
            "jobs": [
                {"id": str(uuid.UUID(int=11)), "name": "Fetch", "body": "fn(s => s)",
                 "adaptor": "@openfn/language-common@3.0.2"},
                {"id": str(uuid.UUID(int=12)), "name": "Store", "body": "fn(s => s)",
                 "adaptor": "@openfn/language-common@latest"},
            ],
            "triggers": [{"id": str(uuid.UUID(int=21)), "type": "webhook", "enabled": True}],
            "edges": [
                {"source_trigger_id": str(uuid.UUID(int=21)),
                 "target_job_id": str(uuid.UUID(int=11)), "condition_type": "always"},
                {"source_job_id": str(uuid.UUID(int=11)),
                 "target_job_id": str(uuid.UUID(int=12)),
                 "condition_type": "js_expression", "condition_expression": "state.data.n > 0"},
            ],
        }
    ],
}  # fmt: skip
FETCH, STORE, TRIGGER = (str(uuid.UUID(int=n)) for n in (11, 12, 21))


async def resolve(specifier: str) -> str:
    """The registry of these tests: everything latest is 9.9.9."""
    return specifier.replace("@latest", "@9.9.9")


class Store:
    """The platform's database without the platform around it."""

    def __init__(self, data: Path, **settings: Any) -> None:
        furnish(data, keys=False)
        self.settings = Settings(data=data, **database_of(data), **settings)
        self.notices: list[Notice] = []
        self.database = Database(self.settings.database, self.notices.extend)

    def __enter__(self) -> Self:
        self.database.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()

    def write(self, work: Callable[[Transaction], T]) -> T:
        return self.database.submit(work).result(30)

    def read(self, work: Callable[[Connection], T]) -> T:
        return self.write(lambda tx: work(tx.connection))

    def deploy(self, project: dict[str, Any] = PROJECT) -> str:
        """The id of the project."""
        provision = from_payload(project)
        return self.write(lambda tx: import_project(tx, provision, {})).project_id

    def enqueue(self, trigger: str = TRIGGER, queue: str = "default", priority: int = 1) -> str:
        """A run in the queue; its id."""

        def create(tx: Transaction) -> str:
            row = tx.connection.execute(
                select(t.triggers.c.workflow_id, t.workflows.c.project_id)
                .join(t.workflows, t.workflows.c.id == t.triggers.c.workflow_id)
                .where(t.triggers.c.id == trigger)
            ).one()
            clip = insert_clip(tx, project_id=row.project_id, kind="http_request", body='{"n":1}')
            start = Start(row.workflow_id, clip, trigger, queue=queue, priority=priority)
            return create_work_order(tx, start, self.settings).run_id

        return self.write(create)

    def run(self, run_id: str) -> Row[Any]:
        row = self.read(lambda c: find_run(c, run_id))
        assert row is not None
        return row

    def claim(self, demand: int = 1, queues: tuple[str, ...] = ("*",)) -> list[Claimed]:
        asked = Claim(demand, "tester", queues)
        return self.write(lambda tx: claim(tx, asked, "worker-1", self.settings))

    def change(self, run_id: str, **values: Any) -> None:
        """Set columns of a run: what time or a crash would have done."""
        self.write(
            lambda tx: tx.connection.execute(
                update(t.runs).where(t.runs.c.id == run_id).values(**values)
            )
        )


class Served:
    """`serve()` on a free port, in a thread. What `chores` lacks is done only when told to."""

    def __init__(self, data: Path, **settings: Any) -> None:
        furnish(data)
        self.chores: Iterable[Chore] = settings.pop("chores", CHORES)
        given = {"port": 0, "janitor_seconds": 3600.0, **database_of(data), **settings}
        self.settings = Settings(data=data, **given)
        self._listening: Future[Listening] = Future()
        self._thread = threading.Thread(target=self._run, name="served")

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if not self._listening.done():
                self._listening.set_exception(error)
            raise

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        told = self._listening.set_result
        await serve(
            self.settings,
            on_listening=told,
            stop=self._stop,
            resolve=resolve,
            chores=self.chores,
        )

    def __enter__(self) -> Self:
        self._thread.start()
        listening = self._listening.result(30)
        self.platform: Platform = listening.platform
        self.url, self.worker_url = listening.local_url, listening.worker_url
        self.collections_url, self.login_path = listening.collections_url, listening.login_path
        self.client = httpx.Client(
            base_url=self.url,
            headers={"authorization": f"Bearer {self.platform.keys.admin_token}"},
            timeout=30,
            verify=False,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()
        self.stop()

    def new_link(self) -> str:
        """A path that logs somebody in."""
        answer = self.client.post("/api/session_links")
        assert answer.status_code == 201, answer.text
        return str(answer.json()["path"])

    @contextmanager
    def person(self) -> Iterator[httpx.Client]:
        """Somebody who has logged in with a browser."""
        with httpx.Client(base_url=self.url, timeout=30, verify=False) as client:
            assert client.get(self.new_link()).status_code == 303
            yield client

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        assert not self._thread.is_alive(), "the platform does not stop"

    def deploy(self, project: dict[str, Any] = PROJECT) -> dict[str, Any]:
        answer = self.client.post("/api/provision", json=project)
        assert answer.status_code == 201, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def post(self, body: Any = None, trigger: str = TRIGGER) -> str:
        """Send the webhook something; the id of the run."""
        answer = self.client.post(f"/i/{trigger}", json={"n": 1} if body is None else body)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-meta-run-id"]

    def run(self, run_id: str) -> dict[str, Any]:
        answer = self.client.get(f"/api/runs/{run_id}")
        assert answer.status_code == 200, answer.text
        attributes: dict[str, Any] = answer.json()["data"]["attributes"]
        return attributes

    def steps(self, run_id: str) -> list[dict[str, Any]]:
        data = self.client.get(f"/api/runs/{run_id}/steps").json()["data"]
        return [{"id": item["id"], **item["attributes"]} for item in data]

    def logs(self, run_id: str) -> list[str]:
        data = self.client.get(f"/api/runs/{run_id}/logs").json()["data"]
        return [line["message"] for line in data]

    def wait_for_state(self, run_id: str, state: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = self.run(run_id)
            return found if found["state"] == state else None

        return eventually(look, f"run in state {state}, it is {self.run(run_id)}")

    def call(self, action: Callable[[Platform], Any]) -> Any:
        """Await something on the platform's loop."""
        return asyncio.run_coroutine_threadsafe(action(self.platform), self._loop).result(30)

    def write(self, work: Callable[[Transaction], T]) -> T:
        return self.platform.database.submit(work).result(30)

    def try_step(self, job_id: str = FETCH) -> str:
        """A run of one step alone, as the editor starts it; its id."""
        settings, flow = self.platform.settings, t.jobs.c.workflow_id

        def start(tx: Transaction) -> str:
            workflow = str(tx.connection.scalar(select(flow).where(t.jobs.c.id == job_id)))
            made = start_run(tx, settings, workflow, body={}, job_id=job_id, alone=True, by="me")
            return made.run_id

        return self.write(start)

    def worker(self, worker_id: str = "tester", **parameters: str) -> FrameWorker:
        secret = self.platform.keys.worker_secret
        token = sign_worker_token(secret, worker_id, int(time.time()))
        return FrameWorker(self.worker_url, {"token": token, **parameters})


@contextmanager
def beside(first: Served, folder: Path, **settings: Any) -> Iterator[Served]:
    """A second platform on the database of the first, with the same keys and chores."""
    shutil.copytree(first.settings.data / "keys", folder / "keys")
    told = {"database_url": first.settings.database, "chores": first.chores, **settings}
    with Served(folder, **told) as second:
        yield second


class FrameWorker:
    """A worker's end of the socket, written from `docs/spec/worker-protocol.md` 1: raw frames."""

    def __init__(self, url: str, parameters: dict[str, str]) -> None:
        query = httpx.QueryParams({"vsn": "2.0.0", "api_version": "1.2", **parameters})
        self._connecting = connect(f"{url}/websocket?{query}", max_size=None)
        self.patience = 20.0  # seconds
        self._refs = itertools.count(1)
        self._joins: dict[str, str] = {}
        self.pushes: list[list[Any]] = []
        self._replies: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self.socket: ClientConnection = self._connecting.__enter__()  # closed in __exit__
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, topic: str, event: str, payload: Any) -> str:
        """Send without waiting; the ref."""
        ref = str(next(self._refs))
        if event == "phx_join":
            self._joins[topic] = ref
        self.socket.send(json.dumps([self._joins.get(topic), ref, topic, event, payload]))
        return ref

    def reply(self, ref: str) -> dict[str, Any]:
        """The reply to a ref, whatever else comes before it."""
        while ref not in self._replies:
            self._take(self.socket.recv(timeout=self.patience))
        found: dict[str, Any] = self._replies.pop(ref)
        return found

    def push(self, topic: str, event: str, payload: Any) -> dict[str, Any]:
        return self.reply(self.send(topic, event, payload))

    def wait_for_push(self, event: str) -> list[Any]:
        while not (found := [frame for frame in self.pushes if frame[3] == event]):
            self._take(self.socket.recv(timeout=self.patience))
        self.pushes.remove(found[0])
        return found[0]

    def _take(self, data: str | bytes) -> None:
        if isinstance(data, bytes):
            assert data[0] == 1, "only replies are binary"
            lengths = list(data[1:5])
            rest = data[5:]
            parts = []
            for length in lengths:
                parts.append(rest[:length].decode())
                rest = rest[length:]
            self._replies[parts[1]] = {"status": parts[3], "response": rest, "join_ref": parts[0],
                                       "topic": parts[2]}  # fmt: skip
            return
        frame = json.loads(data)
        assert len(frame) == 5
        if frame[3] == "phx_reply":
            self._replies[frame[1]] = {**frame[4], "join_ref": frame[0], "topic": frame[2]}
        else:
            self.pushes.append(frame)

    def join_queue(self, capacity: int = 5) -> dict[str, Any]:
        return self.push("worker:queue", "phx_join", {"capacity": capacity, "queues": {}})

    def claim(self, demand: int = 1, queues: list[str] | None = None) -> list[dict[str, str]]:
        payload: dict[str, Any] = {"demand": demand, "worker_name": "frames"}
        if queues is not None:
            payload["queues"] = queues
        answer = self.push("worker:queue", "claim", payload)
        assert answer["status"] == "ok", answer
        runs: list[dict[str, str]] = answer["response"]["runs"]
        return runs

    def join_run(self, run: dict[str, str]) -> dict[str, Any]:
        return self.push(f"run:{run['id']}", "phx_join", {"token": run["token"]})

    def take(self) -> RunTalk:
        """Join the queue, claim one run and join it."""
        assert self.join_queue()["status"] == "ok"
        (run,) = self.claim()
        assert self.join_run(run)["status"] == "ok"
        return RunTalk(self, run)


class RunTalk:
    """What a worker says about one run."""

    def __init__(self, worker: FrameWorker, run: dict[str, str]) -> None:
        self.worker, self.run, self.id = worker, run, run["id"]
        self._clock = int(time.time() * 1_000_000)

    def now(self) -> str:
        self._clock += 1000
        return str(self._clock)

    def push(self, event: str, payload: dict[str, Any]) -> dict[str, Any]:
        return self.worker.push(f"run:{self.id}", event, payload)

    def ok(self, event: str, payload: dict[str, Any]) -> Any:
        answer = self.push(event, payload)
        assert answer["status"] == "ok", answer
        return answer["response"]

    def state(self) -> str:
        """What the first job gets."""
        answer = self.push("fetch:dataclip", {"id": "any"})
        assert answer["status"] == "ok", answer
        return bytes(answer["response"]).decode()

    def start(self) -> Any:
        return self.ok("run:start", {"timestamp": self.now(), "versions": {"worker": "1.25.0"}})

    def start_step(self, job_id: str = FETCH, step_id: str | None = None) -> str:
        step = step_id or str(uuid.uuid4())
        self.ok("step:start", {"step_id": step, "job_id": job_id, "timestamp": self.now()})
        return step

    def step_end(self, step_id: str, job_id: str = FETCH, **changes: Any) -> dict[str, Any]:
        return {
            "step_id": step_id, "job_id": job_id, "timestamp": self.now(), "duration": 5,
            "thread_id": 1, "mem": {"job": 1, "system": 2}, "reason": "success",
            "error_type": None, "error_message": None,
            "output_dataclip_id": str(uuid.uuid4()), "output_dataclip": '{"data":{"n":1}}',
            **changes,
        }  # fmt: skip

    def log(self, *message: Any, **changes: Any) -> Any:
        line = {"run_id": self.id, "message": list(message), "source": "JOB", "level": "info",
                "timestamp": self.now(), **changes}  # fmt: skip
        return self.ok("run:log", line)

    def complete(self, **changes: Any) -> dict[str, Any]:
        end = {"reason": "success", "error_type": None, "error_message": None,
               "timestamp": self.now(), **changes}  # fmt: skip
        return self.push("run:complete", end)
