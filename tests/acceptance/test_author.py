"""The author's way through the real command: begin, check, run, test, explain."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from holdfast.adaptors import Store
from support import command

BAD = """\
name: bad
workflows:
  w:
    name: w
    triggers: {webhook: {type: webhook}}
    jobs:
      a: {name: a, adaptor: common@3.3.4, body: "gett('x');"}
      b:
        name: b
        adaptor: common@3.3.4
        body: |
          fn(s => s);
          fn(s => { return s; );
    edges:
      webhook->a: {source_trigger: webhook, target_job: a}
      a->b:
        source_job: a
        target_job: b
        condition_type: js_expression
        condition_expression: "state.data >"
"""
CALLS = """\
get('/patients').then(s => s);
fnIf($.data.length > 1, collections.get('facilities', 'a'));
fn(state => { if (!state.configuration.token) throw new Error('no token'); return state; });
"""
CASES = """\
workflow: calls
cases:
  answered:
    credentials: {fetch: {baseUrl: MOCK, token: made-up-token}}
    requests: [{url: /patients, answer: [{id: 1}]}]
    expect: {fetch: {data: [{id: 1}]}}
  with a collection:
    credentials: {fetch: {baseUrl: MOCK, token: made-up-token}}
    requests:
      - {url: /patients, answer: [{id: 1}, {id: 2}]}
      - {url: /collections/facilities/a, answer: {key: a, value: '{"n":1}'}}
    expect: {fetch: {data: {n: 1}}}
  not told of:
    credentials: {fetch: {baseUrl: MOCK, token: made-up-token}}
    requests: [{url: /other}]
    fails: HF1312
"""


@pytest.fixture
def env(adaptor_store: Store) -> dict[str, str]:
    return {"WORKER_REPO_DIR": str(adaptor_store.root)}


def test_a_new_project_is_right_runs_and_passes_its_test(
    tmp_path: Path, env: dict[str, str]
) -> None:
    folder, report = tmp_path / "new", tmp_path / "junit.xml"
    assert command.run("init", str(folder), env=env).returncode == 0
    assert command.run("init", str(folder), env=env).returncode == 2
    project = str(folder / "project.yaml")
    assert "project.schema.json" in (folder / "project.yaml").read_text().splitlines()[0]
    config = json.loads((folder / ".holdfast" / "common-3.3.4" / "jsconfig.json").read_text())
    files = [(folder / ".holdfast" / "common-3.3.4" / name).resolve() for name in config["files"]]
    assert folder / "jobs" / "map.js" in files
    assert all(file.is_file() for file in files)
    assert "no mistakes" in command.run("check", project, env=env).stdout
    ran = command.run("run", project, "--input", f"@{folder / 'input.json'}", env=env)
    assert json.loads(ran.stdout) == {"data": {"greeting": "Hello Ada and Grace"}}
    tested = command.run("test", "--project", project, "--junit", str(report), env=env)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "1 of 1 steps" in tested.stdout
    assert ElementTree.parse(report).getroot().get("failures") == "0"


def test_cases_answer_requests_and_refuse_others(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "calls.yaml").write_text(CASES)
    (tmp_path / "calls.js").write_text(CALLS)
    (tmp_path / "project.yaml").write_text(
        "name: calls\nworkflows: {calls: {name: calls, triggers: {webhook: {type: webhook}},"
        " jobs: {fetch: {name: fetch, adaptor: http@7.2.10, body: {path: calls.js}}},"
        " edges: {start: {source_trigger: webhook, target_job: fetch}}}}\n"
    )
    done = command.run("test", "--project", str(tmp_path / "project.yaml"), "--json", env=env)
    first, third, second = json.loads(done.stdout)
    assert third["wrong"] == [], third
    assert first["passed"], first
    assert second["wrong"] == [
        "request that the case does not tell of: GET /patients",
        "request that never came: GET /other",
    ]
    assert done.returncode == 1


def test_check_and_deploy_name_every_mistake_with_its_line(
    tmp_path: Path, env: dict[str, str]
) -> None:
    path = tmp_path / "project.yaml"
    path.write_text(BAD)
    done = command.run("check", str(path), env=env)
    assert done.returncode == 1
    assert f"{path}:13: workflow w, job b: HF1001" in done.stderr
    assert f"{path}:20: workflow w, edge a->b: HF1121" in done.stderr
    assert f"{path}:7: warning: workflow w, job a: HF1002" in done.stderr
    deployed = command.run("deploy", str(path), "--data", str(tmp_path), env=env)
    assert deployed.returncode == 2
    assert "HF1121" in deployed.stderr


def test_failure_is_explained_with_its_code(tmp_path: Path, env: dict[str, str]) -> None:
    file = tmp_path / "job.js"
    file.write_text("fn(state => ({ n: state.data.pateint.name }));")
    state = '{"data": {"patient": {"name": "Ada"}}}'
    done = command.run("run", str(file), "-a", "common@3.3.4", "--input", state, env=env)
    assert "HF1101" in done.stderr
    assert "change: Write state.data.patient instead of state.data.pateint." in done.stderr
    assert done.stderr.count("HF1101  ") == 1
    assert "What to change" in command.run("explain", "hf1101").stdout
    assert "Near it" in command.run("explain", "HF1100").stderr
    assert "holdfast explain" in command.run("explian").stderr
