"""`holdfast run` and `holdfast compile`: exit codes, output, and words for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.adaptors import Store
from support import command

COMMON = "@openfn/language-common@3.3.4"


@pytest.fixture
def env(adaptor_store: Store) -> dict[str, str]:
    return {"WORKER_REPO_DIR": str(adaptor_store.root)}


def job(folder: Path, text: str) -> str:
    path = folder / "job.js"
    path.write_text(text)
    return str(path)


def test_success_prints_the_final_state(tmp_path: Path, env: dict[str, str]) -> None:
    file = job(
        tmp_path, "fn(s => { console.log('working'); return { data: { n: s.data.n + 1 } } })"
    )
    done = command.run("run", file, "--adaptor", COMMON, "--input", '{"data":{"n":1}}', env=env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"data": {"n": 2}}
    assert "[JOB] ℹ working" in done.stderr


def test_a_workflow_follows_its_edges(tmp_path: Path, env: dict[str, str]) -> None:
    steps = [
        {"id": "a", "adaptor": COMMON, "expression": "fn(() => ({ data: 5 }))",
         "next": {"b": {"condition": "state.data > 3"}, "c": {"condition": "state.data <= 3"}}},
        {"id": "b", "adaptor": COMMON, "expression": "fn(s => ({ data: s.data * 2 }))"},
        {"id": "c", "adaptor": COMMON, "expression": "fn(() => ({ data: 'never' }))"},
    ]  # fmt: skip
    path = tmp_path / "workflow.json"
    path.write_text(json.dumps({"workflow": {"steps": steps}}))
    done = command.run("run", str(path), env=env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"data": 10}


def test_each_step_may_have_a_process_of_its_own(tmp_path: Path, env: dict[str, str]) -> None:
    """The first step leaves a mark in the realm that adaptors live in; the second looks for it."""
    realm = "const all = state.constructor.constructor('return globalThis')();"
    first = f"fn(state => {{ {realm} all.mark = 1; return {{ data: {{ n: 1 }} }}; }})"
    second = (
        f"fn(state => {{ {realm} return {{ data: {{ n: state.data.n, mark: all.mark }} }}; }})"
    )
    steps = [
        {"id": "a", "adaptor": COMMON, "expression": first, "next": {"b": True}},
        {"id": "b", "adaptor": COMMON, "expression": second},
    ]
    path = tmp_path / "workflow.json"
    path.write_text(json.dumps({"workflow": {"steps": steps}}))
    shared = command.run("run", str(path), env=env)
    assert json.loads(shared.stdout) == {"data": {"n": 1, "mark": 1}}, shared.stderr
    apart = command.run("run", str(path), "--process-per-step", env=env)
    assert json.loads(apart.stdout) == {"data": {"n": 1}}, apart.stderr


def test_exit_code_1_when_the_job_failed(tmp_path: Path, env: dict[str, str]) -> None:
    file = job(tmp_path, "fn(s => s);\nfn(() => { throw new Error('no patient') });")
    done = command.run("run", file, "-a", COMMON, env=env)
    assert done.returncode == 1
    assert "JobError: no patient" in done.stderr


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("fn(s => {\n  return s. ;\n})", [], "CompileError: job: .*2:"),
        ("fn(() => { while (true) {} })", ["--timeout", "2"], "TimeoutError: .*2000ms"),
        (
            "fn(() => { const a = []; while (true) a.push(Buffer.alloc(1 << 24, 1)) })",
            ["--memory", "120"],
            "OOMError: Run exceeded maximum memory",
        ),
    ],
    ids=["syntax", "timeout", "memory"],
)
def test_exit_code_3_when_killed_or_crashed(
    tmp_path: Path, env: dict[str, str], text: str, options: list[str], words: str
) -> None:
    done = command.run("run", job(tmp_path, text), "-a", COMMON, *options, env=env)
    assert done.returncode == 3, done.stderr
    import re

    assert re.search(words, done.stderr), done.stderr


def test_out_of_memory_while_compiling(tmp_path: Path, env: dict[str, str]) -> None:
    """Code, not data: nothing that elision could take out."""
    text = "\n".join(f"fn(s => f{n}(g{n}(s.a{n} + s.b{n} * h{n}(s))));" for n in range(120_000))
    done = command.run("run", job(tmp_path, text), "-a", COMMON, "--memory", "64", env=env)
    assert done.returncode == 3, done.stderr
    assert "OOMError" in done.stderr
    assert "compil" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.js"], "none.js: No such file"),
        (["{job}", "-i", "{"], "--input:1:2: not JSON"),
        (["{job}", "-i", "[]"], "the state is an object, not list"),
        (["{job}", "-a", "@openfn/language-common@99.0.0"], "language-common@99.0.0"),
        (["{job}", "-a", "@openfn/language-no-such-thing"], "language-no-such-thing"),
        (["{job}", "--memory", "lots"], "is not a valid integer"),
    ],
)
def test_exit_code_2_for_bad_usage(
    tmp_path: Path, env: dict[str, str], arguments: list[str], words: str
) -> None:
    file = job(tmp_path, "fn(s => s)")
    done = command.run("run", *(file if a == "{job}" else a for a in arguments), env=env)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unreachable_registry_is_told_as_that(tmp_path: Path) -> None:
    done = command.run(
        "run",
        job(tmp_path, "fn(s => s)"),
        *("-a", "@openfn/language-common@3.3.4"),
        env={
            "WORKER_REPO_DIR": str(tmp_path / "store"),
            "npm_config_registry": "http://127.0.0.1:9/",
        },
    )
    assert done.returncode == 2, done.stderr
    assert "registry" in done.stderr
    assert "Traceback" not in done.stderr


def test_compile_prints_the_module(tmp_path: Path) -> None:
    done = command.run("compile", job(tmp_path, "fn(s => s)\nfn(s => s)"))
    assert done.returncode == 0, done.stderr
    assert "export default [" in done.stdout


@pytest.mark.parametrize(
    "name",
    ["up", "platform", "worker", "deploy", "run", "compile", "adaptors", "journal", "postmortem",
     "doctor"],
)  # fmt: skip
def test_every_command_explains_itself(name: str) -> None:
    done = command.run(name, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: holdfast {name}")
    assert "holdfast " + name in done.stdout.split("Usage:", 1)[1].split("\n", 1)[1], "an example"
