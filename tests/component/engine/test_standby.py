"""Run processes that wait ready-made: used once, replaced, and nobody's before they are used."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from holdfast.model.json import JsonObject
from holdfast.model.limits import Limits
from holdfast.model.record import Kind
from holdfast.sandbox import processes
from holdfast.sandbox.cgroups import group_name
from support import cgroups
from support.adaptors import loose_adaptor
from support.engine import ESCAPE, LIMITS, Running, engine, job, public_folder, run
from support.waiting import eventually

__all__ = ["public_folder"]

ROOM = Limits(memory_mb=128, timeout_seconds=60)
LEAVE = (
    "export default [state => {"
    + ESCAPE
    + "process.getBuiltinModule('fs').writeFileSync('left', 'x'); globalThis.left = 1;"
    "Object.prototype.left = 1; return { data: process.pid }; }];"
)
LOOK = (
    "export default [state => {"
    + ESCAPE
    + "return { data: [process.getBuiltinModule('fs').readdirSync('.'), globalThis.left ?? 0,"
    " ({}).left ?? 0, Object.keys(process.env)] }; }];"
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with engine(
        tmp_path_factory.mktemp("data"), standby=2, lane="standby", standby_memory_mb=128
    ) as started:
        yield started


def waiting(running: Running) -> list[Path]:
    return list((running.config.data / "scratch").glob("standby-*"))


def test_a_run_takes_a_process_that_waited_and_another_one_is_made(running: Running) -> None:
    eventually(lambda: waiting(running), "a standby process")
    before = waiting(running)
    ended = run(running, "export default [s => s]", limits=ROOM)
    taken = Path(str(ended.bodies(Kind.LAUNCHED)[0]["scratch"]))
    assert taken in before
    eventually(lambda: len({*waiting(running)} - {taken}) == 2, "one in its place, and one more")
    eventually(lambda: not taken.exists(), "the old one is gone")


def test_a_note_of_what_was_loaded_that_is_no_text_fails_no_run(
    running: Running, tmp_path: Path
) -> None:
    note = running.config.data / "standby.json"
    note.write_bytes(b"\xff")
    options: JsonObject = {"adaptors": {"@a/b@1": {"path": str(tmp_path)}}}
    ended = run(running, "export default [s => s]", limits=ROOM, options=options)
    assert ended.outcome.error_type is None
    assert b"@a/b@1" in note.read_bytes()


def test_nothing_of_one_run_is_there_for_the_next(running: Running) -> None:
    for _ in range(2):
        eventually(lambda: waiting(running), "a standby process")
        assert run(running, LEAVE, limits=ROOM).outcome.error_type is None
        eventually(lambda: waiting(running), "a standby process")
        ended = run(running, LOOK, limits=ROOM)
        state = ended.bodies(Kind.RESULT)[0]["final_state"]
        assert state == {"inline": '{"data":[[],0,0,[]]}'}


def test_a_run_with_other_limits_gets_a_process_of_its_own(running: Running) -> None:
    eventually(lambda: waiting(running), "a standby process")
    ended = run(running, "export default [s => s]", limits=replace(LIMITS, memory_mb=200))
    launched = ended.bodies(Kind.LAUNCHED)[0]
    assert launched["memory_limit_mb"] == 200
    assert "standby-" not in str(launched["scratch"])
    assert ended.outcome.error_type is None


def test_a_process_that_fits_no_run_leaves_no_descriptor_behind(tmp_path: Path) -> None:
    """Hundreds of them would be too many open files for the runs of their shim."""
    other = replace(LIMITS, memory_mb=200)
    with engine(tmp_path, standby=1, lane="standby", standby_memory_mb=128) as running:
        for _ in range(3):
            eventually(lambda: waiting(running), "a standby process")
            assert run(running, "export default [s => s]", limits=other).outcome.error_type is None
        eventually(lambda: waiting(running), "one more")
        eventually(lambda: listeners(running) <= 1, "only that of the one that waits is held")


def listeners(running: Running) -> int:
    """Descriptors by which the engine's shims answer calls of others."""
    found = []
    for shim in processes.children(running.process.pid):
        for descriptor in Path(f"/proc/{shim}/fd").glob("*"):
            with suppress(OSError):
                found.append(str(descriptor.readlink()))
    return sum("notify" in link for link in found)


def test_the_limits_hold_there_too(running: Running) -> None:
    eventually(lambda: waiting(running), "a standby process")
    code = "const kept = []; while (true) kept.push(Buffer.alloc(1 << 20, 1));"
    ended = run(running, f"export default [state => {{ {code} }}];", limits=ROOM)
    assert "standby-" in str(ended.bodies(Kind.LAUNCHED)[0]["scratch"])
    assert ended.outcome.error_type == "OOMError"


def test_one_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    with engine(tmp_path, standby=1, lane="standby", standby_memory_mb=128) as running:
        folder = eventually(lambda: waiting(running), "a standby process")[0]
        os.kill(int(folder.name.rpartition("-")[2]), signal.SIGKILL)
        left = [folder, *cgroups.folders(group_name(folder.name))]
        eventually(lambda: not any(path.exists() for path in left), f"{left} are gone")
        assert run(running, "export default [s => s]", limits=ROOM).outcome.error_type is None


def test_they_end_with_their_supervisor(tmp_path: Path) -> None:
    with engine(tmp_path, standby=2, lane="standby", standby_memory_mb=128) as running:
        found = eventually(lambda: waiting(running), "a standby process")
        makers = [int(path.name.rpartition("-")[2]) for path in found]
    eventually(lambda: all(processes.start_time(pid) is None for pid in makers), "they are gone")
    eventually(lambda: not waiting(running), "their folders are gone")


#: An adaptor that keeps a way into all that its process reads from the time it is loaded.
SPY = "@openfn/language-spy@1.0.0"
SPYING = """(function (exports) {
  const { toString } = Buffer.prototype;
  process.seen = '';
  Buffer.prototype.toString = function (...how) {
    const text = toString.apply(this, how);
    process.seen += text;
    return text;
  };
  process.title = 'spying';
  exports.seen = () => process.seen;
})"""
USE_SPY = job(
    "import { seen } from '@openfn/language-spy'; export default [() => ({ data: seen() })];",
    adaptors=[SPY],
)
#: What a job finds that was not its own, past the vm.
FIND_SPY = job("export default [state => {" + ESCAPE + "return { data: process.seen ?? '' }; }];")
SECRET = "another-projects-password"


def spying(store: Path) -> JsonObject:
    """Options of a run of the spy's project."""
    return {**loose_adaptor(store, SPY, SPYING), "project_id": "spy"}


def loaded_ahead(running: Running, used: list[str]) -> bool:
    """Whether a process that waits, and is none of the used ones, has loaded the spy."""
    for folder in waiting(running):
        if str(folder) in used:
            continue
        for pid in processes.family([int(folder.name.rpartition("-")[2])]):
            with suppress(OSError):
                if b"spying" in Path(f"/proc/{pid}/comm").read_bytes():
                    return True
    return False


@pytest.mark.parametrize(
    ("change", "shared"),
    [
        ({}, True),
        ({"project_id": "victim"}, False),
        ({"project_id": None}, False),
        ({"egress": "public"}, False),
        ({"adaptors": {}}, False),
    ],
)
def test_adaptors_that_are_loaded_ahead_meet_only_runs_of_their_own_project(
    public_folder: Path, change: JsonObject, shared: bool
) -> None:
    home = public_folder / secrets.token_hex(4)
    home.mkdir()
    options, used = spying(home / "store"), list[str]()
    with engine(
        home, store=home / "store", standby=1, lane="standby", standby_memory_mb=128
    ) as running:
        for _ in range(2):
            eventually(lambda: waiting(running), "a standby process")
            ended = run(running, USE_SPY, limits=ROOM, options=options)
            assert ended.outcome.error_type is None, ended.outcome
            used.append(str(ended.bodies(Kind.LAUNCHED)[0]["scratch"]))
        eventually(lambda: loaded_ahead(running, used), "the spy waits")
        ended = run(
            running,
            FIND_SPY,
            limits=ROOM,
            options={**options, **change},
            credentials={"a": {"password": SECRET}},
        )
        assert ended.outcome.error_type is None, ended.outcome
        (result,) = ended.bodies(Kind.RESULT)
        found = "password" in str(result["final_state"])  # the secret itself is masked
        assert found is shared


def test_where_runs_differ_nothing_is_loaded_ahead(public_folder: Path) -> None:
    store, used = public_folder / "store-differ", list[str]()
    options = spying(store)
    data = public_folder / "differ"
    with engine(data, store=store, standby=1, lane="standby", standby_memory_mb=128) as running:
        for project in ("a", "b", "a"):
            before = eventually(
                lambda: [path for path in waiting(running) if str(path) not in used], "one waits"
            )[0]
            changed: JsonObject = {**options, "project_id": project}
            ended = run(running, USE_SPY, limits=ROOM, options=changed)
            assert ended.bodies(Kind.LAUNCHED)[0]["scratch"] == str(before), "it serves any run"
            used.append(str(before))
        eventually(lambda: [path for path in waiting(running) if str(path) not in used], "another")
        assert not loaded_ahead(running, used)


COUNT = "@openfn/language-count@1.0.0"
TIMES = job(
    "import { times } from '@openfn/language-count'; export default [() => ({ n: times() })];",
    adaptors=[COUNT],
)


def counting(store: Path) -> JsonObject:
    """Options for a run with an adaptor that counts how often it was loaded."""
    return loose_adaptor(
        store,
        COUNT,
        "(function (exports, require, module) { globalThis.loaded = (globalThis.loaded ?? 0) + 1;"
        " exports.times = () => globalThis.loaded; })",
    )


def test_what_was_loaded_ahead_is_not_loaded_again(public_folder: Path) -> None:
    store = public_folder / "store"
    options = {**counting(store), "project_id": "p"}
    with engine(
        public_folder / "data", store=store, standby=1, lane="standby", standby_memory_mb=128
    ) as running:
        for _ in range(3):  # the first ones tell what the next one loads ahead
            eventually(lambda: waiting(running), "a standby process")
            ended = run(running, TIMES, limits=ROOM, options=options)
            assert ended.outcome.error_type is None, ended.outcome
            assert ended.bodies(Kind.RESULT)[0]["final_state"] == {"inline": '{"n":1}'}
        log = [body["message"] for body in ended.bodies(Kind.LOG)]
    assert ["Resolved adaptor @openfn/language-count to version 1.0.0"] in log


def all_gone(paths: list[Path]) -> bool:
    return not any(path.exists() for path in paths)


def test_one_from_before_the_store_was_made_is_not_used(public_folder: Path) -> None:
    # Its walls let through the folder of that time: the first adaptor of a new worker comes later.
    store = public_folder / "store"
    with engine(
        public_folder / "data", store=store, standby=1, lane="standby", standby_memory_mb=128
    ) as running:
        for _ in range(2):  # there is none; there is another
            before = eventually(lambda: waiting(running), "a standby process")
            shutil.rmtree(store, ignore_errors=True)
            ended = run(running, TIMES, limits=ROOM, options=counting(store))
            assert ended.outcome.error_type is None, ended.outcome
            scratch = str(ended.bodies(Kind.LAUNCHED)[0]["scratch"])
            assert scratch not in map(str, before)
            gone = [path for path in before if path.exists()]
            eventually(partial(all_gone, gone), "the unfit is gone")


@pytest.mark.parametrize(
    ("waits_with", "wanted", "taken"),
    [
        ("open", "open", True),
        ("open", "public", False),
        ("broker", "open", False),
        ("broker", "public", True),
        ("broker", "none", True),
    ],
)
def test_the_network_of_a_standby_process_is_that_of_its_run(
    tmp_path: Path, waits_with: str, wanted: str, taken: bool
) -> None:
    with engine(
        tmp_path, standby=1, lane="standby", standby_memory_mb=128, standby_network=waits_with
    ) as running:
        eventually(lambda: waiting(running), "a standby process")
        options: JsonObject = {"egress": wanted}
        ended = run(running, "export default [s => s]", limits=ROOM, options=options)
        assert ended.outcome.error_type is None
        assert ("standby-" in str(ended.bodies(Kind.LAUNCHED)[0]["scratch"])) is taken
