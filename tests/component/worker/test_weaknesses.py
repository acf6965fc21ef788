"""Weaknesses of the reference that need a whole worker to show.

The list is section 10 of `docs/spec/worker-protocol.md`.
Those about single messages are in test_faults.py, those about kills in test_recovery.py, those
about stopping in test_drain.py; pure rules are tested in tests/unit.
"""

from __future__ import annotations

import base64
from itertools import pairwise
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from holdfast.journal import JournalReader, RunFolder
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind
from holdfast.testing.platform import TwinPlatform, one_job_plan
from support.worker import QUICK, Worker, slow

WHOLE = ["run:start", "step:start", "step:complete", "run:complete"]


async def test_plans_and_states_that_break_the_reference(tmp_path: Path) -> None:
    """W4 W5 W36 W38, side by side on one worker that must survive them all."""

    nowhere = {"npm_config_registry": "http://127.0.0.1:9/"}
    async with TwinPlatform() as platform, Worker(platform, tmp_path, **nowhere) as worker:
        empty = platform.enqueue(one_job_plan(""), input={"data": 1})
        lonely: JsonObject = {**one_job_plan(QUICK), "edges": []}
        alone = platform.enqueue(lonely, input={"data": 1})
        number = platform.enqueue(one_job_plan("export default [() => 42];"), input={})
        broken: JsonObject = {**one_job_plan(QUICK), "jobs": "none"}
        no_plan = platform.enqueue(broken, input={})
        plan = one_job_plan(QUICK)
        plan["jobs"][0]["credential_id"] = "c-1"  # type: ignore[index, call-overload]
        no_credential = platform.enqueue(plan, input={})
        secret = platform.enqueue(plan, input={}, credentials={"c-1": b"{s3cr3t"})
        no_input = platform.enqueue(one_job_plan(QUICK), input=b"{not json")
        deep = platform.enqueue(one_job_plan(QUICK), input=b"[" * 5000 + b"]" * 5000)
        no_adaptor = platform.enqueue(
            one_job_plan(QUICK, adaptor="@openfn/language-no-such-thing@1.0.0"), input={}
        )
        runs = [
            empty,
            alone,
            number,
            no_plan,
            no_credential,
            secret,
            no_input,
            deep,
            no_adaptor,
        ]
        await platform.until(lambda: all(run.final for run in runs), seconds=90)

        assert (empty.state, alone.state, deep.state) == ("success", "success", "success")
        assert "s3cr3t" not in worker.text()
        assert number.state == "success"
        assert number.outcome is not None
        assert number.outcome["final_state"] == {"data": 42}  # W36: an object, always
        for run, error_type, words in (
            (no_plan, "PlanLoadError", "jobs"),
            (no_credential, "CredentialLoadError", "Failed to load credential c-1: "),
            (secret, "CredentialLoadError", "c-1: it is not JSON"),
            (no_input, "DataClipError", "Failed to load dataclip input-of-"),
            (no_adaptor, "AutoinstallError", "Error installing @openfn/language-no-such"),
        ):
            assert run.outcome is not None
            assert run.state == "exception"
            assert run.outcome["error_type"] == error_type
            assert words in str(run.outcome["error_message"])
            assert "npm install" not in str(run.outcome["error_message"])  # W38
            assert run.names() == ["run:complete"]
        assert await worker.end() == 0


async def test_w6_a_run_with_a_foreign_token_harms_nobody_else(tmp_path: Path) -> None:
    async with TwinPlatform() as stranger, TwinPlatform() as platform:
        pem = platform.key.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        options = {"WORKER_LIGHTNING_PUBLIC_KEY": base64.b64encode(pem).decode()}
        async with Worker(platform, tmp_path, **options) as worker:
            await worker.ready()
            right = platform.key
            platform.key = stranger.key
            bad = platform.enqueue(one_job_plan(QUICK), input={})
            await platform.until(lambda: bad.state == "claimed")
            platform.key = right
            good = platform.enqueue(one_job_plan(QUICK), input={})
            await platform.until(lambda: good.final)
            assert good.state == "success"
            assert bad.joins == 0
            assert "run.bad_token" in worker.text()


async def test_w7_more_runs_than_were_asked_for_are_all_executed(tmp_path: Path) -> None:
    options = {"WORKER_CAPACITY": 1}
    async with TwinPlatform() as platform, Worker(platform, tmp_path, **options) as worker:
        await worker.ready()
        platform.surplus = 3
        runs = [platform.enqueue(one_job_plan(slow(0.2)), input={}) for _ in range(4)]
        await platform.until(lambda: all(run.final for run in runs))
        assert {run.state for run in runs} == {"success"}
        times = sorted(
            (int(dict(run.events)["run:start"]["timestamp"]),
             int(dict(run.events)["run:complete"]["timestamp"]))
            for run in runs
        )  # fmt: skip
        for (_, end), (start, _) in pairwise(times):
            assert end <= start, "one slot: one run at a time"


async def test_w17_every_close_code_means_come_back(tmp_path: Path) -> None:
    async with TwinPlatform() as platform, Worker(platform, tmp_path) as worker:
        await worker.ready()
        for number, code in enumerate((1000, 1001, 1008, 1011, 1012, 4000), start=2):
            await platform.close_all(code, "go away")
            await platform.until(lambda n=number: len(platform.joins) >= n)  # type: ignore[misc]
        run = platform.enqueue(one_job_plan(QUICK), input={})
        await platform.until(lambda: run.final)
        assert run.state == "success"


async def test_w20_no_frame_is_larger_than_the_platform_takes(tmp_path: Path) -> None:
    """Quotes double in JSON inside JSON: a state within its limit makes a frame beyond it."""

    limit = 2_000_000
    job = "export default [() => ({ data: { text: '\"'.repeat(600_000) } })];"
    options = {"WORKER_MAX_FRAME_BYTES": limit}
    async with (
        TwinPlatform(frame_bytes=limit) as platform,
        Worker(platform, tmp_path, **options) as worker,
    ):
        run = platform.enqueue(one_job_plan(job), input={})
        await platform.until(lambda: run.final)
        assert run.state == "success"
        step = dict(run.events)["step:complete"]
        assert step["output_dataclip_error"] == "DATACLIP_TOO_LARGE"
        assert "connection.down" not in worker.text()


async def test_w24_an_outage_longer_than_every_timeout(tmp_path: Path) -> None:
    """Runs go on and end meanwhile; all of it is delivered in order on return."""

    options = {"WORKER_MESSAGE_TIMEOUT_SECONDS": 0.5}
    async with TwinPlatform() as platform, Worker(platform, tmp_path, **options) as worker:
        runs = [platform.enqueue(one_job_plan(slow(1)), input={}) for _ in range(4)]
        await platform.until(lambda: all(run.state == "started" for run in runs))
        await platform.stop()
        folders = [RunFolder(tmp_path / "journals" / run.id) for run in runs]
        await worker.until(lambda: all(ended(folder) for folder in folders))
        assert not any(run.final for run in runs)
        await platform.start()
        await platform.until(lambda: all(run.final for run in runs), 15)
        for run in runs:
            assert run.state == "success"
            assert list(dict.fromkeys(run.names())) == WHOLE
        assert await worker.end() == 0


def ended(folder: RunFolder) -> bool:
    with JournalReader(folder.journal) as reader:
        return any(True for _ in reader.find(frozenset({Kind.OUTCOME})))


async def test_w15_a_run_whose_channel_is_refused_in_its_middle_is_kept(tmp_path: Path) -> None:
    """Nothing is thrown away: it is delivered as soon as the platform listens again."""

    async with TwinPlatform() as platform, Worker(platform, tmp_path) as worker:
        run = platform.enqueue(one_job_plan(slow(4)), input={})
        await platform.until(lambda: "tick 1" in run.logs)
        key = platform.key
        async with TwinPlatform() as other:
            platform.key = other.key  # every rejoin is refused from here on
            platform.cut()
            await worker.until(lambda: worker.text().count("channel.refused") >= 3)
            assert not run.final
            platform.key = key
        other_run = platform.enqueue(one_job_plan(QUICK), input={})
        await platform.until(lambda: other_run.final)
        assert list((tmp_path / "journals").iterdir())


async def test_w18_w32_the_health_service_tells_the_truth(tmp_path: Path) -> None:
    async with TwinPlatform() as platform, Worker(platform, tmp_path) as worker:
        url = await worker.ready()
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            assert (await client.get("/livez")).text == "OK"
            assert (await client.get("/")).status_code == 200
            assert (await client.get("/nothing")).status_code == 404
            assert (await client.post("/claim")).status_code == 204
            run = platform.enqueue(one_job_plan(QUICK), input={})
            await platform.until(lambda: run.final)
            await worker.until(lambda: "run.done" in worker.text())
            await platform.stop()
            await worker.until(lambda: "connection.failed" in worker.text())
            answer = (await client.get("/readyz")).json()
            assert answer["reasons"] == ["not connected to the platform"]
            metrics = (await client.get("/metrics")).text
            assert "holdfast_worker_connected 0" in metrics
            assert 'holdfast_worker_runs_total{ending="complete"} 1' in metrics
            await platform.start()
