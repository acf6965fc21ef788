"""Against a Lightning that is not idempotent, with real workers: what its database holds."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from holdfast.protocol.frames import Message
from holdfast.testing.platform import Do, TwinPlatform, TwinRun, one_job_plan
from holdfast.testing.profile import OLD
from support.streams import closed_gate
from support.worker import QUICK, Worker

HOSTILE = (
    "export default [() => { console.log('poison \\u0000 \\ud800', {'k\\u0000': '\\udc00'});"
    " return { data: { 'a\\u0000': ['\\ud800', { deep: '\\u0000' }] } }; }];"
)
PAIR = {
    "triggers": [{"id": "t"}],
    "jobs": [
        {"id": "a", "name": "A", "body": "BODY"},
        {"id": "b", "name": "B", "body": QUICK},
    ],
    "edges": [
        {"source_trigger_id": "t", "target_job_id": "a", "condition": "always"},
        {"source_job_id": "a", "target_job_id": "b", "condition": "always"},
    ],
    "starting_node_id": "t",
    "options": {"run_timeout_ms": 60_000},
}


def pair(body: str) -> Any:
    """Two steps, the first with this body."""
    return json.loads(json.dumps(PAIR).replace('"BODY"', json.dumps(body)))


def chained(run: TwinRun) -> None:
    """Each step has the output of the one before it, and the run ends with the last."""
    first, second = run.steps.values()
    assert first.output is not None
    assert second.input == first.output
    assert run.outcome is not None
    assert run.outcome["final_dataclip_id"] == second.output
    assert {second.output, first.output} <= set(run.clips)


async def test_what_jobs_leave_closes_no_socket_and_crashes_no_channel(tmp_path: Path) -> None:
    async with TwinPlatform() as platform, Worker(platform, tmp_path) as worker:
        runs = [platform.enqueue(pair(HOSTILE), input={}) for _ in range(2)]
        after = platform.enqueue(one_job_plan(QUICK), input={})
        await platform.until(lambda: all(run.final for run in (*runs, after)))
        for run in runs:
            assert run.state == "success"
            assert run.crashed == []
            chained(run)
            assert [line for line in run.lines if "poison" in str(line.message)]
        assert len(platform.joins) == 1, "one connection for all"
        assert await worker.end() == 0


async def test_step_that_returns_nothing_passes_its_empty_output_on(tmp_path: Path) -> None:
    async with TwinPlatform() as platform, Worker(platform, tmp_path):
        nothing = platform.enqueue(pair("export default [() => undefined];"), input={})
        last = platform.enqueue(one_job_plan("export default [() => null];"), input={})
        await platform.until(lambda: nothing.final and last.final)
        chained(nothing)
        (step,) = last.steps.values()
        assert last.outcome is not None
        assert last.outcome["final_dataclip_id"] == step.output


@pytest.mark.parametrize("code", [1009, 1011])
async def test_message_that_ends_every_connection_is_found_and_changed(
    code: int, tmp_path: Path
) -> None:
    """One line of one run: the others lose nothing, no claim is lost, and it ends soon."""

    async with TwinPlatform() as platform, Worker(platform, tmp_path) as worker:

        def closes(message: Message) -> int | None:
            return code if "killer" in json.dumps(message.payload) else None

        platform.closes = closes
        bad = "export default [() => { for (let i = 0; i < 9; i++) console.log('x', i);"
        bad += " console.log('killer'); return { data: 1 }; }];"
        poisoned = platform.enqueue(one_job_plan(bad), input={})
        others = [platform.enqueue(one_job_plan(QUICK), input={}) for _ in range(4)]
        everything = (poisoned, *others)
        await platform.until(lambda: all(run.final for run in everything))
        later = platform.enqueue(one_job_plan(QUICK), input={})
        await platform.until(lambda: later.final)
        assert {run.state for run in (*everything, later)} == {"success"}
        assert {run.claims for run in everything} == {1}
        assert len(platform.handshakes) <= 4, "sent with others, then alone, then changed"
        texts = [str(line.message) for line in poisoned.lines if line.step_id]
        assert len([text for text in texts if "'x'" in text]) >= 9
        assert "killer" not in str(texts)
        assert worker.text().count("delivery.incomplete") == 1


async def test_old_platform_without_batches_costs_one_crash_in_all(tmp_path: Path) -> None:
    options = {"WORKER_BATCH_LOGS": "true"}
    async with TwinPlatform(profile=OLD) as platform, Worker(platform, tmp_path, **options):
        for _ in range(3):
            run = platform.enqueue(pair(QUICK), input={})
            await platform.until(lambda run=run: run.final)  # type: ignore[misc]
            chained(run)
        assert sum(len(run.crashed) for run in platform.runs.values()) == 1


def key_of(platform: TwinPlatform) -> dict[str, str]:
    """The variable with a platform's public key."""
    key = platform.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {"WORKER_LIGHTNING_PUBLIC_KEY": base64.b64encode(key).decode()}


async def test_clock_that_is_an_hour_off_ends_few_runs_truthfully_or_none(tmp_path: Path) -> None:
    async with TwinPlatform() as platform:
        platform.clock_seconds = 3600
        async with Worker(platform, tmp_path / "checks", **key_of(platform)) as worker:
            url = await worker.ready()
            runs = [platform.enqueue(one_job_plan(QUICK), input={}) for _ in range(6)]
            await platform.until(lambda: runs[0].final)
            assert "check both machines' clocks" in str(runs[0].outcome)
            async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
                assert (await client.get("/readyz")).status_code == 503
            assert sum(run.claims for run in runs) <= 3
            assert await worker.end() == 0
        async with Worker(platform, tmp_path / "trusts"):  # without the key nothing is checked
            await platform.until(lambda: all(run.final for run in runs))
        assert {run.state for run in runs[3:]} == {"success"}


async def test_run_found_at_the_start_is_checked_against_the_key(tmp_path: Path) -> None:
    async with TwinPlatform() as stranger, TwinPlatform() as platform:
        platform.order("fetch:plan", Do.MUTE, times=99)
        async with Worker(platform, tmp_path) as worker:
            run = platform.enqueue(one_job_plan(QUICK), input={})
            await platform.until(lambda: run.joins)
            worker.kill_everything()
            platform.orders.clear()
            worker.environment |= key_of(stranger)
            worker.start()
            await platform.until(lambda: run.final)
        assert run.outcome is not None
        assert run.outcome["error_type"] == "InvalidTokenError"
        assert run.steps == {}


async def test_refused_plans_end_their_runs_and_hold_up_no_other(tmp_path: Path) -> None:
    async with TwinPlatform() as platform, Worker(platform, tmp_path, WORKER_CAPACITY=2) as worker:
        url = await worker.ready()
        refusal = {"errors": {"too_many_runs": ["Runs limit exceeded"]}}
        platform.order("fetch:plan", Do.REFUSE, times=5, response=refusal)
        bad = [platform.enqueue(one_job_plan(QUICK), input={}) for _ in range(5)]
        await platform.until(lambda: all(run.final for run in bad))
        assert {run.state for run in bad} == {"exception"}
        assert all("Runs limit exceeded" in str(run.outcome) for run in bad)
        good = platform.enqueue(one_job_plan(QUICK), input={})
        await platform.until(lambda: good.final)
        assert good.state == "success"
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            await worker.until(lambda: no_run_holds_a_slot(client))


async def no_run_holds_a_slot(client: httpx.AsyncClient) -> bool:
    """As /metrics says it."""
    return "\nholdfast_worker_slots_free 2.0\n" in (await client.get("/metrics")).text


async def test_wrong_public_key_touches_few_runs_and_says_so(tmp_path: Path) -> None:
    async with (
        TwinPlatform() as stranger,
        TwinPlatform() as platform,
        Worker(platform, tmp_path, **key_of(stranger)) as worker,
    ):
        url = await worker.ready()
        runs = [platform.enqueue(one_job_plan(QUICK), input={}) for _ in range(6)]
        first = runs[0]
        await platform.until(lambda: first.final)
        assert first.outcome is not None
        assert first.outcome["reason"] == "exception"
        assert "WORKER_LIGHTNING_PUBLIC_KEY" in str(first.outcome["error_message"])
        assert first.steps == {}
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert "WORKER_LIGHTNING_PUBLIC_KEY" in answer.text
        assert sum(run.claims for run in runs) <= 3
        assert await worker.end() == 0


async def test_refused_joins_touch_few_runs_and_are_told(tmp_path: Path) -> None:
    async with TwinPlatform() as platform, Worker(platform, tmp_path) as worker:
        url = await worker.ready()
        platform.order("phx_join", Do.REFUSE, times=1000, response={"reason": "unauthorized"})
        runs = [platform.enqueue(one_job_plan(QUICK), input={}) for _ in range(9)]
        await worker.until(lambda: worker.text().count("run.not_ours") >= 3)
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert "refuses the channels" in answer.text
        assert sum(run.claims for run in runs) == 3


async def test_run_ends_before_its_token_does(tmp_path: Path) -> None:
    """Instead of being called lost by the platform, whose clock began at the claim."""

    forever = "export default [() => new Promise(done => setTimeout(done, 60_000))];"
    async with TwinPlatform(token_seconds=4) as platform, Worker(platform, tmp_path):
        run = platform.enqueue(one_job_plan(forever), input={})
        await platform.until(lambda: run.final)
        assert run.outcome is not None
        assert (run.outcome["reason"], run.outcome["error_type"]) == ("kill", "TimeoutError")
        found = re.search(r"within (\d+)ms", str(run.outcome["error_message"]))
        assert found is not None
        assert int(found[1]) < 4000, "its limit is what is left of the token"


async def test_credentials_are_fetched_again_before_any_line_goes(tmp_path: Path) -> None:
    name = "5f1f8f0c-6f6d-4a53-9d0b-0d6d6a1c7c11"
    body = (
        "export default [async () => { let open = false; fetch('GATE').then(() => open = true);"
        " for (let i = 0; !open; i++) { console.log('tick', i);"
        " await new Promise(done => setTimeout(done, 100)); } return { data: 1 }; }];"
    )
    async with (
        closed_gate() as gate,
        TwinPlatform() as platform,
        Worker(platform, tmp_path) as worker,
    ):
        plan: Any = one_job_plan(body.replace("GATE", gate.address))
        plan["jobs"][0]["credential_id"] = name
        run = platform.enqueue(plan, input={}, credentials={name: {"password": "hush-hush"}})
        for joins in (1, 2, 3):
            lines = len(run.lines)
            await platform.until(lambda n=lines: len(run.lines) > n)  # type: ignore[misc]
            if joins < 3:
                platform.drop_channel(f"run:{run.id}")
            else:
                worker.kill_agent()
            await platform.until(lambda n=joins: run.joins > n)  # type: ignore[misc]
        gate.opened.set()
        await platform.until(lambda: run.final)
        assert run.state == "success"
        assert all(line.masked for line in run.lines)


async def test_line_never_overtakes_the_large_event_before_it(tmp_path: Path) -> None:
    """Large frames are made ready beside the event loop; small ones of the same run wait."""

    body = "export default [() => ({ data: 'x'.repeat(SIZE) })];"
    async with TwinPlatform() as platform, Worker(platform, tmp_path):
        for size in (100_000, 700_000):
            run = platform.enqueue(pair(body.replace("SIZE", str(size))), input={})
            # Meanwhile it ends, and all of its events wait together.
            platform.order("run:start", Do.DELAY, seconds=1.5, run=run.id)
            await platform.until(lambda run=run: run.final)  # type: ignore[misc]
            chained(run)
            times = [int(body["timestamp"]) for _, body in run.events]
            names = run.names(logs=True)
            end = names.index("step:complete")
            assert times[end] == max(times[: end + 1])
            assert times[end] <= min(times[end + 1 :])
