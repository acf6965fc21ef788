"""A run that has escaped writes its own result, and what it writes is no JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.model.record import Kind
from holdfast.testing.platform import TwinPlatform, one_job_plan
from support.engine import ESCAPE
from support.worker import QUICK, Worker

#: Put into a frame as it is, it ends the payload and the frame early.
BROKEN = '"1}] oops"'


def forged(kind: Kind, body: str) -> str:
    """A job that sends one frame past the engine."""
    return (
        "export default [state => { " + ESCAPE + "const fs = process.getBuiltinModule('fs');"
        f" const body = Buffer.from(JSON.stringify({body}));"
        " const head = Buffer.alloc(5); head.writeUInt32LE(body.length);"
        f" head[4] = {kind.value}; fs.writeSync(3, Buffer.concat([head, body]));"
        " return state; }];"
    )


RESULT = f"{{ timestamp: '1', reason: 'success', final_state: {{ inline: {BROKEN} }} }}"
#: Half a character, which no UTF-8 can carry.
LINE = r"{ source: 'JOB', level: 'info', message: ['\ud800'], timestamp: '1' }"


@pytest.mark.parametrize(("kind", "body"), [(Kind.RESULT, RESULT), (Kind.LOG, LINE)])
async def test_it_takes_no_connection_along(kind: Kind, body: str, tmp_path: Path) -> None:
    """The connection belongs to all runs: it would break again at each repetition, for ever."""

    async with TwinPlatform() as platform, Worker(platform, tmp_path / "d") as worker:
        await worker.ready()
        connections = len(platform.handshakes)
        hostile = platform.enqueue(one_job_plan(forged(kind, body)), input={})
        await platform.until(lambda: hostile.final)
        after = platform.enqueue(one_job_plan(QUICK), input={})
        await platform.until(lambda: after.final)
        assert hostile.state == after.state == "success"
        if kind is Kind.RESULT:
            assert hostile.outcome is not None
            assert hostile.outcome["final_state"] == {"data": "[REDACTED]"}
        assert len(platform.handshakes) == connections
        assert await worker.end() == 0
