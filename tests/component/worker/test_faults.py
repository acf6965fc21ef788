"""Every way a message or its answer can be lost: the run reaches the platform all the same.

The platform is as unforgiving as Lightning: a repeated step, dataclip or outcome is refused.
Each case is a weakness of the reference, named by its number in section 10 of
`docs/spec/worker-protocol.md`.
"""

from __future__ import annotations

from pathlib import Path

from holdfast.protocol.messages import Extension
from holdfast.testing.platform import Do, TwinPlatform, one_job_plan
from holdfast.testing.twin_run import TwinRun
from support.worker import QUICK, Worker

WHOLE = ["run:start", "step:start", "step:complete", "run:complete"]
#: What a platform does once to one message of an otherwise healthy run.
ONCE = [
    ("W3", "phx_join", Do.LOSE),
    ("W3", "phx_join", Do.REFUSE),
    ("W9", "phx_join", Do.CUT_AFTER),
    ("W4", "fetch:plan", Do.MUTE),
    ("W4", "fetch:plan", Do.CUT_BEFORE),
    ("W9", "fetch:dataclip", Do.MUTE),
    ("W9", "fetch:dataclip", Do.CUT_AFTER),
    ("W11", "run:start", Do.LOSE),
    ("W11", "run:start", Do.CUT_BEFORE),
    ("W11", "step:start", Do.LOSE),
    ("W11", "step:start", Do.MUTE),
    ("W11", "step:start", Do.CUT_AFTER),
    ("W9", "run:log", Do.LOSE),
    ("W9", "run:log", Do.CUT_BEFORE),
    ("W16", "run:log", Do.CRASH),
    ("W9", "step:complete", Do.CUT_BEFORE),
    ("W9", "step:complete", Do.CUT_AFTER),
    ("W9", "step:complete", Do.MUTE),
    ("W22", "step:complete", Do.DELAY),
    ("W22", "step:start", Do.DUPLICATE),
    ("W14", "run:complete", Do.LOSE),
    ("W14", "run:complete", Do.MUTE),
    ("W14", "run:complete", Do.CUT_AFTER),
    ("W14", "run:complete", Do.CUT_BEFORE),
    ("W14", "run:complete", Do.CRASH),
    ("W14", "run:complete", Do.REFUSE),
]


def in_order(run: TwinRun) -> list[str]:
    """Events without logs, each once: what a repeat may not change."""
    return list(dict.fromkeys(run.names()))


async def all_faults(platform: TwinPlatform) -> None:
    """All at once: a cut connection also hits the neighbours, which must not mind."""
    # A cut may take a neighbour's claim with it (W1): only the platform can give that out again.
    platform.join_seconds = 20
    cases = []
    for weakness, event, do in ONCE:
        run = platform.enqueue(one_job_plan(QUICK), input={"data": {"x": 1}})
        order = platform.order(event, do, run=run.id, response={"reason": "try again"})
        cases.append(((weakness, event, do), run, order))
    platform.push("worker:queue", "work-available", {})
    await platform.until(lambda: all(run.final for _, run, _ in cases), 100)
    for case, run, order in cases:
        about = (case, run.names(), run.outcome)
        assert order.times == 0, about
        assert run.state == "success", about
        assert in_order(run) == WHOLE, about
        lines = run.logs
        kept = [line for n, line in enumerate(lines) if line not in lines[:n]]
        assert len(kept) >= 10, about
        starts = [n for n, line in enumerate(kept) if line.startswith("Starting step")]
        ends = [n for n, line in enumerate(kept) if line.startswith("Run complete")]
        assert starts < ends, about


async def test_every_message_may_be_lost_once_and_nothing_else_is(tmp_path: Path) -> None:
    """W3 W4 W9 W10 W11 W14 W16 W22, one message at a time, as against Lightning."""

    options = {"WORKER_MESSAGE_TIMEOUT_SECONDS": 0.5, "WORKER_CAPACITY": 6}
    async with TwinPlatform() as platform, Worker(platform, tmp_path, **options) as worker:
        await worker.ready()
        await all_faults(platform)
        heard = {
            run.id: worker.text().count(f"run.claimed run={run.id}")
            for run in platform.runs.values()
        }
        # What the worker has heard of it never needs to be given again.
        assert set(heard.values()) == {1}, heard
        assert await worker.end() == 0
        assert list((tmp_path / "journals").iterdir()) == []


async def test_every_message_may_be_lost_once_with_a_window_and_batches(tmp_path: Path) -> None:
    """The same against a platform that offers windows, batches and idempotence."""

    offer = Extension(64, batch_logs=True, idempotent=True)
    options = {"WORKER_MESSAGE_TIMEOUT_SECONDS": 0.5, "WORKER_CAPACITY": 2}
    async with (
        TwinPlatform(extension=offer) as platform,
        Worker(platform, tmp_path, **options) as worker,
    ):
        await worker.ready()
        for event, do in [
            ("run:start", Do.CUT_BEFORE), ("run:batch_logs", Do.CUT_AFTER),
            ("run:batch_logs", Do.LOSE), ("step:complete", Do.MUTE),
            ("run:complete", Do.CUT_AFTER), ("run:complete", Do.LOSE),
        ]:  # fmt: skip
            run = platform.enqueue(one_job_plan(QUICK), input={"data": {}})
            order = platform.order(event, do, run=run.id)
            platform.push("worker:queue", "work-available", {})
            await platform.until(lambda run=run: run.final)  # type: ignore[misc]
            assert order.times == 0, (event, do)
            assert run.names() == WHOLE, (event, do)
            assert run.refused == []
            lines = [body for name, body in run.events if name == "run:log"]
            assert len({line["id"] for line in lines}) == len(lines)
        assert await worker.end() == 0
