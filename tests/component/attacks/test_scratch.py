"""Folders that a run leaves behind never cost it its outcome, nor anybody the disk (issue 12)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.engine.client import RunHandle
from holdfast.model.outcome import Reason
from holdfast.model.record import Kind
from support.engine import (
    ESCAPE,
    LIMITS,
    NOBODY,
    Ended,
    Running,
    engine,
    execute,
    is_root,
    next_record,
    prepare,
    run,
)
from support.folders import in_memory
from support.native import WITHOUT, job
from support.waiting import eventually

#: Scratch lies on a disk of this machine.
ON_DISK = frozenset({"namespaces", "network-namespace", "own-uid"}) | WITHOUT
#: More levels than a path may have, and than any of our processes may recurse.
DEEP = 2500


@pytest.fixture(scope="module", params=["own", "ordinary"])
def running(request: pytest.FixtureRequest, attacker: Path) -> Iterator[Running]:
    user = NOBODY if request.param == "ordinary" else None
    if user is not None and not is_root():
        pytest.skip("this is the ordinary user already")
    with (
        in_memory() as folder,
        engine(folder / "data", user, without=ON_DISK, store=attacker.parent) as started,
    ):
        yield started


MODES = (
    "export default [state => {" + ESCAPE + "const fs = process.getBuiltinModule('fs');"
    " const tried = act => { try { act(); return 'done'; } catch (e) { return e.code; } };"
    " fs.writeFileSync('a', 'x'); fs.copyFileSync('a', 'b');"
    " const own = fs.openSync('a', 'r'), shared = fs.openSync(LIBRARY, 'r');"
    " fs.fchmodSync(own, 0o4710);"
    " return { data: [fs.readFileSync('b', 'utf8'), (fs.fstatSync(own).mode & 0o7777).toString(8),"
    " tried(() => fs.fchmodSync(shared, 0o777)), tried(() => fs.chmodSync(LIBRARY, 0o777)),"
    " tried(() => fs.futimesSync(shared, 1, 1)), tried(() => fs.watch('/tmp').close())] }; }];"
)  # fmt: skip


def test_only_files_in_scratch_get_other_modes(running: Running, attacker: Path) -> None:
    """Landlock asks nobody for that, and a run may have the worker's own user."""
    before = attacker.stat()
    ended = run(running, MODES.replace("LIBRARY", repr(str(attacker))))
    assert ended.outcome.reason is Reason.SUCCESS, ended.outcome
    state = ended.bodies(Kind.RESULT)[0]["final_state"]
    assert isinstance(state, dict)
    assert json.loads(str(state["inline"]))["data"] == ["x", "710", *["EPERM"] * 4]
    assert "to change the rights of a file that is not its own (fchmod)" in ended.log
    after = attacker.stat()
    assert (before.st_mode, before.st_mtime) == (after.st_mode, after.st_mtime)


def no_scratch(running: Running, ended: Ended) -> bool:
    """Whether nothing is left of this run's scratch; standby processes have theirs."""
    return not list((running.config.data / "scratch").glob(f"{ended.folder.path.name}-*"))


def test_a_deep_folder_costs_no_outcome(running: Running, attacker: Path) -> None:
    # The run stays until its scratch has been looked through at least once.
    code = job(attacker, "deep-folder", DEEP).replace(
        "return {", "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700); return {"
    )
    ended = run(running, code)
    assert ended.outcome.reason is Reason.SUCCESS, ended.outcome
    eventually(lambda: no_scratch(running, ended), "scratch removed")


def test_a_deep_folder_of_a_shim_that_died_costs_no_outcome(
    running: Running, attacker: Path
) -> None:
    code = job(attacker, "deep-folder", DEEP).replace(
        "return {", "console.log('deep'); for (;;); return {"
    )

    async def end_shim(handle: RunHandle) -> None:
        launched = await next_record(handle, Kind.LAUNCHED)
        for _ in range(3000):
            if "deep" in handle.folder.journal.read_text(errors="replace"):
                break
            await asyncio.sleep(0.02)
        shim = launched["shim"]
        assert isinstance(shim, int)
        os.kill(shim, signal.SIGKILL)

    ended = execute(running, prepare(running, code), end_shim)
    assert ended.outcome.reason is Reason.EXCEPTION, ended.outcome
    eventually(lambda: no_scratch(running, ended), "scratch removed")


def test_files_without_names_fill_no_disk(running: Running) -> None:
    code = (
        f"export default [state => {{ {ESCAPE} const fs = process.getBuiltinModule('fs');"
        " for (let i = 0; i < 20; i++) { const f = fs.openSync('f', 'w');"
        " fs.writeSync(f, Buffer.alloc(1 << 20, 1)); fs.unlinkSync('f'); } for (;;); }];"
    )
    ended = run(running, code, limits=replace(LIMITS, scratch_mb=8))
    assert ended.outcome.reason is Reason.KILL, ended.outcome
    assert "8 MB" in str(ended.outcome.error_message), ended.outcome
