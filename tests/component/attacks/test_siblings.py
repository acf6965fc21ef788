"""Attacks between children of one zygote, and of children on the zygote (docs/engine.md).

Job code has left the vm, and Node's own permissions are left out: what holds are the kernel's
walls.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from holdfast.engine.client import RunHandle
from holdfast.engine.zygote.keeper import parent_of
from holdfast.model.json import JsonObject
from holdfast.model.outcome import Reason
from holdfast.model.record import Kind
from holdfast.sandbox import processes
from support.adaptors import loose_adaptor
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
from support.native import WITHOUT, job, library, results
from support.waiting import eventually

FS = "const fs = process.getBuiltinModule('fs');"
#: Runs until it is ended; its secret lies in its memory and in its scratch folder.
VICTIM = (
    "export default [async state => {" + ESCAPE + FS + "fs.writeFileSync('mine', 'private');"
    " globalThis.kept = 'private'.repeat(1000);"
    " await new Promise(() => setInterval(() => {}, 1e6)); }];"
)
#: What a child finds of others; each entry is something that it must not get.
LOOK = (
    "export default [async state => {"
    + ESCAPE
    + FS
    + """
  const got = [];
  const attempt = (name, act) => { try { got.push([name, act()]); } catch {} };
  for (let pid = 0; pid < 60; pid++) {
    if (pid > 0) attempt(`signal ${pid}`, () => process.kill(pid, 0));
    attempt(`group ${pid}`, () => process.kill(-pid - 1, 0));
    for (const file of ['mem', 'maps', 'environ', 'fd', 'root', 'cwd', 'task', 'syscall', 'stack'])
      attempt(`${file} ${pid}`, () => file === 'fd' || file === 'task'
        ? fs.readdirSync(`/proc/${pid}/${file}`) : fs.openSync(`/proc/${pid}/${file}`, 'r'));
  }
  const own = process.cwd();
  attempt('list scratch', () => fs.readdirSync('/scratch'));
  attempt('close scratch', () => fs.chmodSync('/scratch', 0));
  attempt('date scratch', () => fs.utimesSync('/scratch', 1, 1));
  attempt('watch scratch', () => fs.watch('/scratch').close());
  // somebody has told it the name, which it cannot find out
  const folder = 'SIBLING';
  attempt(`list ${folder}`, () => fs.readdirSync(folder));
  attempt(`read ${folder}`, () => fs.readFileSync(`${folder}/mine`));
  attempt(`write ${folder}`, () => fs.writeFileSync(`${folder}/x`, ''));
  attempt(`move ${folder}`, () => fs.renameSync(`${own}/orders`, `${folder}/orders`));
  attempt(`watch ${folder}`, () => fs.watch(folder).close());
  for (let slot = -1; slot < 260; slot++)
    attempt(`guess ${slot}`, () => fs.statSync(`/scratch/${slot}`));
  if (!new RegExp(`^/scratch/[0-9a-f]{32}$`).test(own) || own === folder) got.push([own, folder]);
  attempt('own folder is not empty', () => {
    const names = fs.readdirSync(own); if (names.length === 0) throw 0; return names; });
  for (let fd = 4; fd < 600; fd++)
    attempt(`socket ${fd}`, () => {
      const seen = fs.fstatSync(fd);
      if (!seen.isSocket() && !seen.isFile()) throw 0;
      return fd; });
  return { data: got }; }];"""
)
DRAW = (
    "import { drawn } from '@openfn/language-early'; export default [state => {"
    + ESCAPE
    + """
  const crypto = process.getBuiltinModule('crypto');
  return { data: [Math.random(), state.constructor.constructor('return Math.random()')(),
    crypto.randomUUID(), crypto.randomInt(2 ** 47), crypto.randomBytes(8).toString('hex'),
    crypto.getRandomValues(new Uint32Array(2)).join(), drawn()] }; }];"""
)
#: An adaptor that keeps what generators there are while it is loaded, and draws from each.
EARLY = "@openfn/language-early@1.0.0"
DRAWS_EARLY = """(function (exports, require) {
  const { random } = Math;
  const crypto = require('crypto');
  random(); crypto.randomUUID(); crypto.randomInt(9); crypto.randomBytes(4);
  exports.drawn = () => `${random()} ${crypto.randomUUID()} ${crypto.randomInt(2 ** 40)}`;
})"""


@pytest.fixture(scope="module", params=["root", "ordinary"])
def running(request: pytest.FixtureRequest, public_folder: Path) -> Iterator[Running]:
    ordinary = request.param == "ordinary"
    if ordinary and not is_root():
        pytest.skip("this is the ordinary user already")
    store = public_folder / "store"
    store.mkdir(mode=0o755, exist_ok=True)
    settings: dict[str, Any] = {"without": WITHOUT, "lane": "zygote", "store": store}
    user = NOBODY if ordinary else None
    with engine(public_folder / request.param, user, **settings) as started:
        if run(started, "export default [s => s]").bodies(Kind.LAUNCHED)[0]["lane"] != "zygote":
            assert ordinary or not is_root(), "root has zygotes"
            pytest.skip("no groups are granted to this user, so there are no zygotes")
        yield started


def data(ended: Ended) -> Any:
    assert ended.outcome.reason is Reason.SUCCESS, ended.outcome
    assert ended.bodies(Kind.LAUNCHED)[0]["lane"] == "zygote"
    document = ended.bodies(Kind.RESULT)[0]["final_state"]
    assert isinstance(document, dict)
    return json.loads(str(document["inline"]))["data"]


def beside_a_victim(running: Running, code: str) -> Any:
    """What a run gets while another child of its zygote is at work."""
    found: list[Any] = []

    async def attack(handle: RunHandle) -> None:
        launched = await next_record(handle, Kind.LAUNCHED)
        await next_record(handle, Kind.STEP_START)
        pids = launched["pids"]
        assert isinstance(pids, dict)
        folder = str(Path(f"/proc/{pids['engine']}/cwd").readlink())
        told = code.replace("SIBLING", folder)
        found.append(data(await asyncio.to_thread(run, running, told)))
        await handle.cancel()

    victim = execute(running, prepare(running, VICTIM), attack)
    assert victim.outcome.error_type == "CancelledError" or victim.outcome.reason is Reason.CANCEL
    assert victim.bodies(Kind.LAUNCHED)[0]["lane"] == "zygote"
    return found[0]


def test_a_child_finds_nothing_of_its_siblings_nor_of_the_zygote(running: Running) -> None:
    assert beside_a_victim(running, LOOK) == []


def test_no_descriptor_and_no_memory_is_shared(running: Running) -> None:
    """What one of them sends into an event loop of the other is taken for pointers there."""

    async def compare(handle: RunHandle) -> None:
        await next_record(handle, Kind.STEP_START)
        launched = await next_record(handle, Kind.LAUNCHED)
        pids = launched["pids"]
        assert isinstance(pids, dict)
        child = int(str(pids["engine"]))
        zygote = parent_of(child)
        assert zygote is not None
        assert shared(child, 0, child, 0), "the kernel tells one open file"
        for mine in descriptors(child):
            for other in descriptors(zygote):
                assert not shared(child, mine, zygote, other), f"{mine} is {other} of the zygote"
        writable = [row for row in Path(f"/proc/{child}/maps").read_text().splitlines()
                    if row.split()[1].endswith("s")]  # fmt: skip
        assert writable == []
        await handle.cancel()

    assert execute(running, prepare(running, VICTIM), compare).outcome.reason is Reason.CANCEL


def descriptors(pid: int) -> list[int]:
    return sorted(int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir())


def shared(pid: int, mine: int, other: int, theirs: int) -> bool:
    """Whether two descriptors are of one open file, as the kernel says."""
    same = ctypes.CDLL(None, use_errno=True).syscall(312, pid, other, 0, mine, theirs)
    if same < 0 and ctypes.get_errno() == errno.ENOSYS:
        pytest.skip("this kernel does not compare open files")
    if same < 0 and ctypes.get_errno() == errno.EBADF:
        # One of the two was closed after it was listed. What is closed is not shared.
        return False
    assert same >= 0, os.strerror(ctypes.get_errno())
    return bool(same == 0)


def test_native_code_in_a_child_gets_at_no_sibling_and_not_at_the_zygote(
    running: Running,
) -> None:
    assert running.config.store is not None
    attacker = library(running.config.store)
    text = beside_a_victim(
        running, job(attacker, "everything", 1, 1, "/scratch", os.uname().nodename)
    )
    through = {name for name, what in results(text).items() if what == "got through"}
    assert through <= {"bounding-set"}, through


def test_nothing_is_drawn_twice(running: Running) -> None:
    assert running.config.store is not None
    options = loose_adaptor(running.config.store, EARLY, DRAWS_EARLY)
    step: JsonObject = {"id": "a", "name": "A", "adaptors": [EARLY], "expression": DRAW}
    found = [data(run(running, step, options=options)) for _ in range(3)]
    for drawn in zip(*found, strict=True):
        assert len(set(drawn)) == 3, drawn
    assert all(one[0] != one[1] for one in found), "contexts share no numbers either"


def test_the_end_of_a_shim_ends_its_child_and_no_other(running: Running) -> None:
    async def kill(handle: RunHandle) -> None:
        launched = await next_record(handle, Kind.LAUNCHED)
        await next_record(handle, Kind.STEP_START)
        pids = launched["pids"]
        assert isinstance(pids, dict)
        os.kill(int(str(launched["shim"])), signal.SIGKILL)
        child = int(str(pids["engine"]))
        await asyncio.to_thread(
            eventually, lambda: not processes.is_alive(child, None), "its child is gone"
        )

    assert execute(running, prepare(running, VICTIM), kill).outcome.error_type == "ShimLost"
    assert beside_a_victim(running, "export default [s => ({ data: 1 })]") == 1


@pytest.mark.parametrize(
    ("code", "limits", "error"),
    [
        ("const k = []; for (;;) k.push(Buffer.alloc(1 << 20, 1));", {}, "OOMError"),
        ("const k = []; for (;;) k.push({ a: [k.length] });", {}, "OOMError"),
        ("for (;;);", {"timeout_seconds": 1}, "TimeoutError"),
        ("process.abort();", {}, "ExitError"),
        ("process.exit(3);", {}, "ExitError"),
    ],
)
def test_limits_and_ends_hold(
    running: Running, code: str, limits: dict[str, Any], error: str
) -> None:
    whole = f"export default [state => {{ {ESCAPE} {code} }}];"
    ended = run(running, whole, limits=replace(LIMITS, **limits))
    assert ended.bodies(Kind.LAUNCHED)[0]["lane"] == "zygote"
    assert ended.outcome.error_type == error, ended.outcome
    memory: Any = ended.evidence["memory"]
    assert memory["peak"] <= memory["limit"] * 1.05


def test_an_adaptor_that_no_child_can_be_forked_with_costs_no_run(public_folder: Path) -> None:
    """It takes timers away, say: the self-test finds that, and runs go elsewhere."""
    store = public_folder / "store-unfit"
    same = "@openfn/language-same@1.0.0"
    code = "(function (exports) { globalThis.setTimeout = () => 0; exports.x = () => 4; })"
    options = loose_adaptor(store, same, code)
    step: JsonObject = {
        "id": "a", "name": "A", "adaptors": [same],
        "expression": "import { x } from '@openfn/language-same';"
        " export default [() => ({ data: x() })]",
    }  # fmt: skip
    with engine(public_folder / "unfit", store=store, lane="zygote") as running:
        ended = run(running, step, options=options, limits=LIMITS)
        assert ended.outcome.reason is Reason.SUCCESS, ended.outcome
        assert ended.bodies(Kind.LAUNCHED)[0]["lane"] == "cold"
