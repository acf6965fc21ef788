"""A run is recorded, and runs again from its file: offline, with the same outputs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.adaptors import Store
from support import command
from support.web import Answer, Asked, Web, serve_web

CANARY = "canary-90ab31"
JOB = """\
get('/people', { query: { page: 1 } });
fn(state => ({ ...state, at: new Date(), chance: Math.random(), left: state.data.nam.first }));
"""


@pytest.fixture
def env(adaptor_store: Store) -> dict[str, str]:
    return {"WORKER_REPO_DIR": str(adaptor_store.root)}


@pytest.fixture
def web() -> Iterator[Web]:
    def answer(asked: Asked) -> Answer:
        return Answer({"name": {"first": "Ada"}, "sessionToken": CANARY, "path": asked.path})

    with serve_web(answer) as server:
        yield server


def test_a_failed_run_is_recorded_replayed_mended_and_becomes_a_test(
    tmp_path: Path, env: dict[str, str], web: Web
) -> None:
    project, job, run = tmp_path / "project.yaml", tmp_path / "job.js", tmp_path / "run.json"
    project.write_text(
        "name: p\nrecord: true\ncredentials: {login: {name: login, owner: a@b.org}}\n"
        "workflows: {w: {name: w, triggers: {webhook: {type: webhook}}, jobs: {load: {name: load,"
        " adaptor: http@7.2.10, credential: login, body: {path: job.js}}},"
        " edges: {webhook->load: {source_trigger: webhook, target_job: load}}}}\n"
    )
    job.write_text(JOB)
    secrets = tmp_path / "secrets.yaml"
    secrets.write_text(json.dumps({"login": {"baseUrl": web.address, "password": CANARY}}))
    ran = command.run(
        "run", str(project), "--credentials", str(secrets), "--record", str(run), env=env
    )
    assert "HF1101" in ran.stderr
    assert CANARY not in run.read_text()
    asked = len(web.asked)
    first = told(command.run("replay", str(run), "--json", env=env))
    assert first["same"] is True
    assert first["asked_otherwise"] == []
    job.write_text(JOB.replace("data.nam.", "data.name."))
    mended = told(command.run("replay", str(run), "--project", str(project), "--json", env=env))
    assert mended["same"] is False
    assert mended["outcome"]["reason"] == "success"
    assert any('left: "Ada"' in line for line in mended["steps"][0]["differences"])
    written = command.run(
        "test", "--project", str(project), "--from-run", str(run), "--name", "people", env=env
    )
    assert written.returncode == 0, written.stderr
    tested = command.run("test", "--project", str(project), env=env)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert len(web.asked) == asked, "a replay or a test asked a real system"


def told(found: Any) -> dict[str, Any]:
    assert found.returncode in (0, 1), found.stderr
    value = json.loads(found.stdout)
    assert isinstance(value, dict)
    return value
