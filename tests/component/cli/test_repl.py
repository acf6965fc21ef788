"""`holdfast repl` through the real command."""

from __future__ import annotations

import json
from pathlib import Path

from holdfast.adaptors import Store
from support import command

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
