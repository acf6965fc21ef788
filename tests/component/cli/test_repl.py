"""`holdfast repl` through the real command."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.adaptors import Store
from holdfast.sandbox import processes
from support import command
from support.waiting import eventually

TYPED = """\
fn(state => ({
  ...state, n: state.data.id + 1
}))
state.n
= [state.n,
  3].length
nope();
.state n
fn(state => { console.log('hello'); return { ...state, z: 1 }; })
.undo
.code
.save out.json
"""


def test_operations_change_the_state_and_looks_do_not(
    tmp_path: Path, adaptor_store: Store
) -> None:
    env = {"WORKER_REPO_DIR": str(adaptor_store.root)}
    typed = TYPED.replace("out.json", str(tmp_path / "out.json"))
    arguments = ("-a", "common@3.3.4", "-i", '{"data": {"id": 1}}')
    found = command.run("repl", *arguments, env=env, stdin=typed)
    assert found.returncode == 1, found.stderr
    assert found.stdout.splitlines()[:5] == ["+ n: 2", "2", "2", "2", "+ z: 1"]
    assert found.stdout.splitlines()[5] == "undone"
    assert "hello" in found.stderr
    assert "HF1002  nope is used" in found.stderr
    assert json.loads((tmp_path / "out.json").read_text()) == {"data": {"id": 1}, "n": 2}
    assert "z: 1" not in found.stdout.partition("undone")[2]


def test_a_recorded_step_gives_state_and_adaptor(tmp_path: Path, adaptor_store: Store) -> None:
    env = {"WORKER_REPO_DIR": str(adaptor_store.root)}
    job, recorded = tmp_path / "job.js", tmp_path / "run.json"
    job.write_text("fn(state => ({ ...state, total: state.data.n + 1 }));")
    given = ("-a", "common@3.3.4", "-i", '{"data": {"n": 41}}', "--record", str(recorded))
    ran = command.run("run", str(job), *given, env=env)
    assert ran.returncode == 0, ran.stderr
    found = command.run("repl", str(recorded), "--step", "job", env=env, stdin="state.data.n\n")
    assert (found.returncode, found.stdout) == (0, "41\n"), found.stderr
    wrong = command.run("repl", str(recorded), "--step", "jobb", env=env)
    assert wrong.returncode == 2
    assert "Did you mean job?" in wrong.stderr


ENDLESS = (
    "fn(s => { console.log('begun'); return new Promise(r => setTimeout(() => r(s), 9e5)); })"
)


@contextmanager
def at_a_terminal(
    store: Store,
) -> Iterator[tuple[command.Command, Callable[[str], None]]]:
    """The prompt in a terminal, and what types there."""
    env = {"WORKER_REPO_DIR": str(store.root)}
    # Some shells wait beside the command, are interrupted with it, and tell that at the end.
    line = shlex.join(["exec", *command.HOLDFAST, "repl", "-a", "common@3.3.4"])
    program = ("script", "-qefc", line, "/dev/null")
    started = command.Command(program=program, env=env, stdin=subprocess.PIPE)
    stdin = started.process.stdin
    assert stdin is not None

    def type_in(text: str) -> None:
        stdin.write(text)
        stdin.flush()

    try:
        started.wait_for_line("shows what can be typed")
        yield started, type_in
    finally:
        started.kill()
        stdin.close()


def test_an_interruption_ends_what_runs_and_nothing_else(adaptor_store: Store) -> None:
    with at_a_terminal(adaptor_store) as (started, type_in):
        type_in(f"{ENDLESS}\n")
        started.wait_for_line(r"JOB.*begun")
        type_in("\x03")
        started.wait_for_line("cancelled; the state is as before")
        type_in("= 20 + 22\n")
        started.wait_for_line("^42")
        type_in(".exit\n")
        assert started.process.wait(60) == 0, started.output


def test_sigterm_leaves_no_run_behind(adaptor_store: Store) -> None:
    env = {"WORKER_REPO_DIR": str(adaptor_store.root)}
    arguments = ("repl", "-a", "common@3.3.4")
    started = command.Command(*arguments, env=env, stdin=subprocess.PIPE)
    assert started.process.stdin is not None
    try:
        started.process.stdin.write(f"{ENDLESS}\n")
        started.process.stdin.flush()
        started.wait_for_line(r"JOB.*begun")
        before = [
            (pid, processes.start_time(pid)) for pid in processes.family([started.process.pid])
        ]
        assert started.stop(signal.SIGTERM) == 128 + signal.SIGTERM
        eventually(
            lambda: not any(processes.is_alive(*one) for one in before), "its processes to be gone"
        )
    finally:
        started.kill()
        started.process.stdin.close()
