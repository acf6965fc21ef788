"""Ways in which the reference loses runs or data, provoked.

The list is section 10 of `docs/spec/worker-protocol.md`.
Each test is named after the weaknesses it holds; further ones are in test_weaknesses.py,
test_recovery.py, test_faults.py and test_drain.py.
"""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from holdfast.journal import JournalReader, RunFolder
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from holdfast.platform.clock import SECOND, now
from holdfast.platform.store import tables as t
from holdfast.platform.workers.janitor import sweep
from holdfast.testing.platform import TwinPlatform, one_job_plan
from holdfast.testing.twin_run import TwinRun
from support.platform import RunTalk, Served
from support.waiting import until
from support.worker import QUICK, Worker, alive, descendants, slow


def test_w8_the_platform_does_not_count_preparation_against_the_run(tmp_path: Path) -> None:
    """Its clock is the run's start; until then, and beyond, a joined channel is believed."""
    with Served(tmp_path / "platform", run_timeout_seconds=60) as served:
        served.deploy()
        served.platform.started_at = 0
        served.post()
        with served.worker() as worker:
            talk = worker.take()
            _age(served, talk, claimed_at=100, last_event_at=100)  # installing adaptors
            served.call(sweep)
            assert served.run(talk.id)["state"] == "claimed"
            talk.start()
            _age(served, talk, claimed_at=150)
            served.call(sweep)
            assert served.run(talk.id)["state"] == "started"
            _age(served, talk, claimed_at=10_000, started_at=10_000)
            served.call(sweep)
            assert served.run(talk.id)["state"] == "lost"
            assert talk.complete()["status"] == "ok"  # late, and true
        found = served.run(talk.id)
        assert found["state"] == "success"
        assert any("lost" in json.dumps(note) for note in found["notes"]), "visibly late"


def _age(served: Served, talk: RunTalk, **seconds: float) -> None:
    values = {name: now() - int(value * SECOND) for name, value in seconds.items()}
    change = t.runs.update().where(t.runs.c.id == talk.id).values(**values)
    served.write(lambda tx: tx.connection.execute(change))


async def test_w25_w26_a_run_whose_worker_died_keeps_its_time_limit(tmp_path: Path) -> None:
    """Agent and supervisor are gone for good: the run still ends, and its end is delivered."""

    plan = one_job_plan(slow(60), run_timeout_ms=2000)
    async with TwinPlatform() as platform, Worker(platform, tmp_path) as worker:
        run = platform.enqueue(plan, input={})
        await platform.until(lambda: "tick 0" in run.logs)
        mine = launched_pids(tmp_path, run)
        assert mine
        for pid in [worker.pid, *worker.agents()]:
            os.kill(pid, signal.SIGKILL)
        assert worker.process is not None
        worker.process.wait()
        await until(lambda: not any(alive(pid) for pid in mine))
        assert not run.final, "nobody was there to deliver it"
        worker.start()
        await platform.until(lambda: run.final)
        assert run.outcome is not None
        assert (run.outcome["reason"], run.outcome["error_type"]) == ("kill", "TimeoutError")
        assert len(run.steps) == 1
        assert await worker.end() == 0


def launched_pids(data: Path, run: TwinRun) -> list[int]:
    """The processes of a run that live, as its journal names them."""
    with JournalReader(RunFolder(data / "journals" / run.id).journal) as reader:
        for record in reader.read():
            if record.kind == Kind.LAUNCHED:
                body: Any = record.json()
                return [pid for pid in body["pids"].values() if alive(pid)]
    message = "not launched"
    raise AssertionError(message)


async def test_w27_a_run_process_that_is_killed_from_outside_ends_one_run(tmp_path: Path) -> None:
    """As the kernel does when memory is short; also a process that waits for its first run."""

    async with TwinPlatform() as platform, Worker(platform, tmp_path) as worker:
        other = platform.enqueue(one_job_plan(slow(5)), input={})
        run = platform.enqueue(one_job_plan(slow(30)), input={})
        await platform.until(lambda: all("tick 1" in r.logs for r in (other, run)))
        agent = worker.agents()
        busy = set(launched_pids(tmp_path, other))
        for pid in launched_pids(tmp_path, run):
            os.kill(pid, signal.SIGKILL)
        await platform.until(lambda: run.final)
        assert run.outcome is not None
        assert run.outcome["reason"] == "exception", "not the fault of its author"
        assert "SIGKILL" in json.dumps(run.outcome)
        kept = set(descendants(worker.pid)) - {*agent, *worker.shims(), *busy}
        for pid in kept:
            with suppress(ProcessLookupError):  # some end by themselves
                os.kill(pid, signal.SIGKILL)  # what was kept ready
        # A run that is given one which is about to end has no other.
        await platform.until(lambda: not any(map(alive, kept)))
        later = [platform.enqueue(one_job_plan(QUICK), input={}) for _ in range(4)]
        await platform.until(lambda: all(r.final for r in (other, *later)))
        assert {r.state for r in (other, *later)} == {"success"}
        assert worker.agents() == agent, "nobody had to start again"
        assert await worker.end() == 0


async def test_w28_a_worker_without_network_starts_and_works(tmp_path: Path) -> None:
    """Collections, of the latest version, and no registry: the reference ends with code 1."""

    options = {
        "WORKER_COLLECTIONS_URL": "http://127.0.0.1:9/collections",
        "npm_config_registry": "http://127.0.0.1:9/",
    }
    async with TwinPlatform() as platform, Worker(platform, tmp_path, **options) as worker:
        await worker.ready()
        needy = platform.enqueue(
            one_job_plan("collections.get('x', 'y');", adaptor="@openfn/language-common"),
            input={},
        )
        run = platform.enqueue(one_job_plan(QUICK), input={})
        await platform.until(lambda: run.final and needy.final)
        assert run.state == "success"
        assert needy.outcome is not None
        assert needy.outcome["error_type"] == "AutoinstallError"
        assert worker.process is not None
        assert worker.process.poll() is None
        assert await worker.end() == 0


def _diamond() -> JsonObject:
    """a -> b, a -> c, b -> d, c -> d: the last step is executed once for each parent."""

    def body(name: str) -> str:
        return f"export default [state => ({{ data: {{ by: '{name}' }} }})];"

    def edge(source: str, target: str) -> JsonObject:
        return {
            "id": source + target, "source_job_id": source, "target_job_id": target,
            "condition": "always", "enabled": True,
        }  # fmt: skip

    first: JsonObject = {
        "id": "t-a", "source_trigger_id": "t", "target_job_id": "a", "condition": "always",
        "enabled": True,
    }  # fmt: skip
    pairs = (("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"))
    return {
        "triggers": [{"id": "t"}],
        "jobs": [{"id": name, "name": name, "body": body(name)} for name in "abcd"],
        "edges": [first, *(edge(*pair) for pair in pairs)],
        "starting_node_id": "t",
        "options": {"run_timeout_ms": 60_000},
    }


async def test_w33_each_execution_of_a_diamond_names_its_own_input(tmp_path: Path) -> None:
    async with TwinPlatform() as platform, Worker(platform, tmp_path) as worker:
        run = platform.enqueue(_diamond(), input={"data": 1})
        await platform.until(lambda: run.final)
        assert run.state == "success"
        started = [body for name, body in run.events if name == "step:start"]
        ended = [body for name, body in run.events if name == "step:complete"]
        job_of = {body["step_id"]: body["job_id"] for body in started}
        output = {job_of[body["step_id"]]: body["output_dataclip_id"] for body in ended}
        inputs = [body["input_dataclip_id"] for body in started if body["job_id"] == "d"]
        assert len(inputs) == 2
        assert set(inputs) == {output["b"], output["c"]}
        assert await worker.end() == 0


async def test_w34_what_is_withheld_from_the_platform_stays_in_the_run(tmp_path: Path) -> None:
    """The reference puts its placeholder into the live state: the next step works on that."""

    first = "export default [() => ({ data: { text: 'x'.repeat(3_000_000) }, kept: 1 })];"
    second = (
        "export default [s => ({ data: { length: s.data.text.length, kept: s.kept,"
        " plain: s.data.text === 'x'.repeat(3_000_000) } })];"
    )
    plan = one_job_plan(first)
    plan["jobs"] = [
        {"id": "j1", "name": "Large", "body": first},
        {"id": "j2", "name": "Counts", "body": second},
    ]
    edges = plan["edges"]
    assert isinstance(edges, list)
    edges.append({
        "id": "e2", "source_job_id": "j1", "target_job_id": "j2", "condition": "always",
        "enabled": True,
    })  # fmt: skip
    options = {"WORKER_MAX_PAYLOAD_MB": 1}
    async with TwinPlatform() as platform, Worker(platform, tmp_path, **options) as worker:
        run = platform.enqueue(plan, input={})
        await platform.until(lambda: run.final)
        assert run.state == "success"
        large, counted = [body for name, body in run.events if name == "step:complete"]
        assert large["output_dataclip_error"] == "DATACLIP_TOO_LARGE"
        assert "output_dataclip" not in large or large["output_dataclip"] is None
        seen = json.loads(counted["output_dataclip"])
        assert seen == {"data": {"length": 3_000_000, "kept": 1, "plain": True}}
        assert await worker.end() == 0


async def test_w37_secrets_stay_masked_after_a_rejoin(tmp_path: Path) -> None:
    """Connection and agent are lost on the way: what comes after is masked as what came before."""

    secret = "correct-horse-battery"
    job = (
        "export default [async s => { for (let i = 0; i < 10; i++) {"
        " console.log('tick', i, s.configuration.password);"
        " await new Promise(done => setTimeout(done, 300)); }"
        " return { data: {} }; }];"
    )
    plan = one_job_plan(job)
    plan["jobs"][0]["credential_id"] = "c-1"  # type: ignore[index, call-overload]
    async with TwinPlatform() as platform, Worker(platform, tmp_path) as worker:
        run = platform.enqueue(
            plan, input={}, credentials={"c-1": {"username": "u", "password": secret}}
        )
        await platform.until(lambda: ticks(run) >= 2)
        joins = run.joins
        platform.cut()
        await platform.until(lambda: run.joins > joins)
        joins, said = run.joins, ticks(run)
        worker.kill_agent()
        await platform.until(lambda: run.joins > joins and ticks(run) > said)
        await platform.until(lambda: run.final)
        assert run.state == "success"
        assert ticks(run) >= 10
        assert secret not in json.dumps(run.events)
        assert "***" in json.dumps(run.events)


def ticks(run: TwinRun) -> int:
    return sum(line.startswith("tick") for line in run.logs)
