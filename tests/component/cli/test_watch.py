"""`--watch`: what a save changes is seen at once, and nothing stays behind at the end."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from holdfast.adaptors import Store
from support import command
from support.waiting import eventually

JOB = "fn(state => ({ ...state, total: state.data.n + 1 }));"


@pytest.fixture
def watching(
    tmp_path: Path, adaptor_store: Store, request: pytest.FixtureRequest
) -> Iterator[command.Command]:
    """A command that watches `job.js`, with all options that the test names."""
    env = {"WORKER_REPO_DIR": str(adaptor_store.root)}
    (tmp_path / "job.js").write_text(JOB)
    (tmp_path / "state.json").write_text('{"data": {"n": 1}}')
    run = ["run", "job.js", "-a", "common@3.3.4", "-i", "@state.json"]
    arguments = [*run, "--watch"]
    if request.param == "replay":
        recorded = command.Command(*run, "--record", "run.json", env=env, folder=tmp_path)
        recorded.wait_for_line("run.json: 1 steps")
        assert recorded.process.wait(60) == 0, recorded.output
        arguments = ["replay", "run.json", "--code", "job.js", "--watch"]
    started = command.Command(*arguments, env=env, folder=tmp_path)
    try:
        started.wait_for_line("watching job.js")
        yield started
    finally:
        started.kill()


@pytest.mark.parametrize("watching", ["run", "replay"], indirect=True)
def test_a_save_shows_the_difference(watching: command.Command, tmp_path: Path) -> None:
    (tmp_path / "job.js").write_text(JOB.replace("+ 1", "+ 40"))
    watching.wait_for_line("~ total: 2 -> 41")
    assert watching.stop(signal.SIGTERM) == 143
    eventually(lambda: not alive(watching), "the engine to be gone")


@pytest.mark.parametrize("watching", ["run"], indirect=True)
def test_engine_ends_with_a_command_that_is_killed(
    watching: command.Command, tmp_path: Path
) -> None:
    (tmp_path / "state.json").write_text("{")
    watching.wait_for_line("state.json:1:2: not JSON")
    (tmp_path / "state.json").write_text(json.dumps({"data": {"n": 6}}))
    watching.wait_for_line("~ total: 2 -> 7")
    watching.process.kill()
    watching.process.wait()
    eventually(lambda: not alive(watching), "the engine to be gone")


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder near the root: the name of a socket in it has a limit."""
    with tempfile.TemporaryDirectory(prefix="hf-") as folder:
        yield Path(folder)


def test_a_run_ends_with_a_command_that_is_killed(short: Path, adaptor_store: Store) -> None:
    endless = (
        "fn(async () => { console.log('begun'); await new Promise(r => setTimeout(r, 9e5)); });"
    )
    (short / "job.js").write_text(endless)
    places = {"TMPDIR": str(short), "WORKER_REPO_DIR": str(adaptor_store.root)}
    started = command.Command("run", "job.js", "-a", "common@3.3.4", env=places, folder=short)
    try:
        started.wait_for_line("begun")
        assert living(short)
        started.process.kill()
        eventually(lambda: not living(short), "every process of the run to be gone")
        (journal,) = short.glob("holdfast-run-*/journals/*/journal*")
        assert b'"ShimLost"' in journal.read_bytes()
    finally:
        started.kill()


def living(home: Path) -> list[str]:
    """The command lines of processes that name this folder, or work in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (process / "cmdline").read_bytes().decode(errors="replace")
            if str(home) in line or (process / "cwd").readlink().is_relative_to(home):
                found.append(line)
    return found


def alive(started: command.Command) -> bool:
    """Whether a process of the command's group is left."""
    try:
        os.killpg(started.process.pid, 0)
    except ProcessLookupError:
        return False
    return True
