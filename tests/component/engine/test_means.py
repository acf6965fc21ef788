"""Limits without the kernel's groups, and without root."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.model.limits import MEBIBYTE
from holdfast.model.outcome import Reason
from holdfast.model.record import Kind
from holdfast.sandbox import processes
from support.engine import ESCAPE, LIMITS, NOBODY, Running, engine, is_root, public_folder, run
from support.native import WITHOUT, library
from support.native import job as attack
from support.waiting import eventually

__all__ = ["public_folder"]
FILL = "export default [s => { const k = []; for (;;) k.push(Buffer.alloc(1 << 20, 1)); }]"


@pytest.fixture(scope="module", params=["sampling", "ordinary user"])
def running(request: pytest.FixtureRequest, public_folder: Path) -> Iterator[Running]:
    if request.param == "sampling":
        with engine(public_folder / "sampling", limits="sampling") as started:
            yield started
    elif not is_root():
        pytest.skip("this is the ordinary user already")
    else:
        with engine(public_folder / "ordinary", user=NOBODY) as started:
            yield started


def test_a_run_succeeds(running: Running) -> None:
    ended = run(running, "export default [s => ({ data: 1 })]")
    assert ended.outcome.reason is Reason.SUCCESS, ended.outcome
    assert ended.bodies(Kind.LAUNCHED)[0]["memory_means"] == "sampling"


def test_memory_is_limited_within_the_stated_bound(running: Running) -> None:
    ended = run(running, FILL)
    assert ended.outcome.error_type == "OOMError"
    memory = ended.evidence["memory"]
    assert isinstance(memory, dict)
    limit, peak = int(str(memory["limit"])), int(str(memory["peak"]))
    assert peak <= limit + max(limit // 4, 64 * MEBIBYTE)


def test_objects_end_in_v8s_report(running: Running) -> None:
    fill = "for (;;) k.push(Array.from({ length: 999 }, Object));"
    code = f"export default [s => {{ const k = []; {fill} }}]"
    ended = run(running, code)
    assert ended.outcome.error_type == "OOMError"


def test_time_is_limited(running: Running) -> None:
    limits = replace(LIMITS, timeout_seconds=1)
    ended = run(running, "export default [s => { for (;;); }]", limits=limits)
    assert ended.outcome.error_type == "TimeoutError"


def test_scratch_on_a_disk_is_measured(tmp_path: Path) -> None:
    code = (
        "export default [async state => {"
        " const process = state.constructor.constructor('return process')();"
        " const fs = process.getBuiltinModule('fs');"
        " for (let i = 0; ; i++) { fs.writeFileSync('f' + i, Buffer.alloc(1 << 20, 1));"
        " await new Promise(done => setTimeout(done, 20)); } }]"
    )
    with engine(tmp_path, without=frozenset({"namespaces"})) as running:
        ended = run(running, code, limits=replace(LIMITS, scratch_mb=8))
    assert ended.outcome.error_type == "DiskLimitError"


def test_files_that_are_only_mapped_take_room_on_the_disk(public_folder: Path) -> None:
    attacker = library(public_folder / "store")
    walls = WITHOUT | {"namespaces", "network-namespace", "own-uid"}
    with engine(public_folder / "mapped", without=walls, store=attacker.parent) as running:
        limits = replace(LIMITS, scratch_mb=8, timeout_seconds=20)
        ended = run(running, attack(attacker, "mapped-files", 30), limits=limits)
    assert ended.outcome.error_type == "DiskLimitError", ended.outcome


@pytest.mark.parametrize(
    ("count", "error"), [(500, "ProtocolViolation"), (8000, "OOMError")], ids=["few", "many"]
)
def test_threads_that_the_kernel_does_not_limit_are_counted(
    public_folder: Path, count: int, error: str
) -> None:
    """Each is memory of the kernel, and one number less for everybody on the machine."""
    walls = WITHOUT | {"namespaces", "network-namespace", "own-uid"}
    attacker = library(public_folder / "store")
    with engine(
        public_folder / str(count), limits="sampling", without=walls, store=attacker.parent
    ) as running:
        limits = LIMITS if count < 1000 else replace(LIMITS, processes=10_000)
        ended = run(running, attack(attacker, "threads", count), limits=limits)
    assert ended.outcome.error_type == error, ended.outcome


def test_a_level_that_is_not_there_keeps_the_engine_from_starting(tmp_path: Path) -> None:
    import subprocess
    import sys

    from holdfast.engine.config import EngineConfig

    config = EngineConfig(
        tmp_path, tmp_path / "s", require="full", without=frozenset({"namespaces"})
    )
    command = [sys.executable, "-m", "holdfast.engine.supervisor", "--config", config.to_json()]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "does not offer the isolation level full: namespaces" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_a_run_started_ends_with_it_where_nothing_kept_it_from_starting(
    public_folder: Path,
) -> None:
    """Its parent is killed first; then it is nobody's, as /proc tells it."""
    start = (
        "export default [state => {"
        + ESCAPE
        + "const { spawn } = process.getBuiltinModule('child_process');"
        "const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 1e6)'],"
        " { detached: true, stdio: 'ignore' });"
        "return { data: child.pid }; }];"
    )
    walls = frozenset({"namespaces", "seccomp", "landlock", "node-permissions"})
    with engine(public_folder / "open", limits="sampling", without=walls) as running:
        ended = run(running, start)
        final = ended.bodies(Kind.RESULT)[0]["final_state"]
        assert isinstance(final, dict)
        pid = json.loads(str(final["inline"]))["data"]
        assert isinstance(pid, int)
        eventually(lambda: not processes.is_alive(pid, None), "it has ended too")
