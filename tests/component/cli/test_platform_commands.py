"""`holdfast platform` and `holdfast deploy`, as commands."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from holdfast.cli.main import main
from holdfast.protocol.tokens import sign_worker_token
from support.command import Command, run
from support.platform import FrameWorker, RunTalk

PROJECT = """\
name: commands
credentials:
  HAPI: {name: HAPI, owner: jo}
workflows:
  W:
    jobs:
      J: {adaptor: '@openfn/language-common@3.3.4', body: {path: ./j.js}, credential: HAPI}
    triggers:
      hook: {type: webhook}
    edges:
      hook->J: {source_trigger: hook, target_job: J}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "j.js").write_text("fn(s => s)")
    (tmp_path / "project.yaml").write_text(PROJECT)
    return tmp_path / "project.yaml"


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Command]:
    command = Command("platform", "--data", str(tmp_path / "data"), "--port", "0")
    command.wait_for_line("^worker")
    yield command
    command.kill()


def url_of(data: Path) -> str:
    return str(json.loads((data / "address.json").read_text())["url"])


def test_the_platform_serves_and_deploys_and_stops(platform: Command, project: Path) -> None:
    data = project.parent / "data"
    url = platform.wait_for_line(r"^platform +(\S+)")[1]
    assert httpx.get(f"{url}/ready").json()["ready"] is True
    first = run("deploy", str(project), "--data", str(data))
    assert first.returncode == 0, first.stderr
    assert "+ workflow W" in first.stdout
    webhook = next(w for w in first.stdout.split() if "/i/" in w)
    assert httpx.post(webhook, json={}).status_code == 200
    secrets = project.with_name("secrets.yaml")
    secrets.write_text("HAPI: {password: s3cret-value}")
    again = run(
        "deploy", str(project), "--data", str(data), "--credentials", str(secrets), "--json"
    )
    told = json.loads(again.stdout)
    assert [line for line in told["changes"] if "(its secret is set)" not in line] == []
    assert told["webhooks"][0]["url"] == webhook
    assert "s3cret-value" not in again.stdout + again.stderr + platform.output
    elsewhere = run("deploy", str(project), "--url", url, env={"HOLDFAST_TOKEN": "wrong"})
    assert (elsewhere.returncode, "does not accept" in elsewhere.stderr) == (2, True)
    assert platform.stop() == 0
    assert "stopped" in platform.output


def test_second_platform_on_a_data_folder_is_refused(platform: Command, tmp_path: Path) -> None:
    """Its address stays, and no worker of the second one is started."""
    data = tmp_path / "data"
    (tmp_path / "link").symlink_to(data)
    before = url_of(data)
    for command in ("platform", "up"):
        done = run(command, "--data", str(tmp_path / "link"), "--port", "0")
        assert done.returncode == 2, done.stdout
        assert "Another platform uses the data folder" in done.stderr
        assert f"process {platform.process.pid}, {before}" in done.stderr
    assert url_of(data) == before
    assert httpx.get(f"{before}/ready").json()["ready"] is True


def test_addresses_of_a_platform_that_listens_everywhere_can_be_opened(tmp_path: Path) -> None:
    platform = Command("platform", "--data", str(tmp_path), "--port", "0", "--host", "0.0.0.0")
    try:
        platform.wait_for_line("^worker")
        urls = re.findall(r"^platform +(\S+)", platform.output, re.MULTILINE)
        assert urls[0].startswith("http://127.0.0.1:")
        for url in urls:
            assert httpx.get(f"{url}/ready").json()["ready"] is True
    finally:
        platform.kill()


Explained = Callable[..., str]


@pytest.fixture
def explained(capsys: pytest.CaptureFixture[str]) -> Explained:
    """What a command that must fail with exit code 2 says; any other error comes through."""

    def call(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        assert ended.value.code == 2
        return capsys.readouterr().err

    return call


def test_a_port_in_use_is_explained(tmp_path: Path, explained: Explained) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = explained("platform", "--data", str(tmp_path / "d"), "--port", str(port))
    assert f"port {port} is in use" in said
    assert "--port" in said


def test_a_data_folder_that_cannot_be_written_is_explained(
    tmp_path: Path, explained: Explained
) -> None:
    (tmp_path / "file").write_text("")
    said = explained("platform", "--data", str(tmp_path / "file" / "data"), "--port", "0")
    assert "cannot write to the data folder" in said
    assert "--data" in said


@pytest.mark.parametrize("policy", ["bogus!", "public,http://x", "10.0.0.0/40"])
def test_egress_policy_that_is_none_is_explained(
    tmp_path: Path, explained: Explained, policy: str
) -> None:
    said = explained("up", "--data", str(tmp_path), "--port", "0", "--egress", policy)
    assert "is no host, address or block of addresses" in said


def test_an_address_that_is_not_ours_is_explained(tmp_path: Path, explained: Explained) -> None:
    said = explained("platform", "--data", str(tmp_path), "--host", "203.0.113.7", "--port", "0")
    assert "cannot listen on 203.0.113.7" in said


def test_a_database_that_is_none_is_explained(tmp_path: Path, explained: Explained) -> None:
    (tmp_path / "platform.db").write_bytes(b"not a database at all" * 200)
    assert "not a database" in explained("platform", "--data", str(tmp_path), "--port", "0")


def test_broken_yaml_is_explained_with_its_line(project: Path, explained: Explained) -> None:
    project.write_text(PROJECT.replace("jobs:", "jobs: ]"))
    assert f"{project}:6: broken YAML" in explained("deploy", str(project))
    assert "No such file" in explained("deploy", str(project.with_name("no.yaml")))


def test_a_platform_that_is_not_there_is_explained(
    project: Path, tmp_path: Path, explained: Explained
) -> None:
    said = explained("deploy", str(project), "--url", "http://127.0.0.1:9", "--token", "x")
    assert "cannot reach the platform at http://127.0.0.1:9" in said
    assert "holdfast up" in said
    assert "no admin token" in explained("deploy", str(project), "--data", str(tmp_path / "no"))
    assert "not an address" in explained(
        "deploy", str(project), "--url", "http://a:b", "--token", "x"
    )


def test_secrets_for_credentials_that_are_not_there_are_explained(
    project: Path, explained: Explained
) -> None:
    secrets = project.with_name("secrets.yaml")
    secrets.write_text("OTHER: {password: s3cret-value}")
    said = explained("deploy", str(project), "--credentials", str(secrets))
    assert "no credential OTHER" in said
    assert "s3cret-value" not in said


@pytest.mark.parametrize("command", ["platform", "deploy"])
def test_help_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert "Examples:" in capsys.readouterr().out


def test_a_platform_that_is_killed_forgets_nothing(project: Path) -> None:
    """What was answered is on disk: the run goes on where it was, with the same token."""
    data = project.parent / "data"
    first = Command("platform", "--data", str(data), "--port", "0")
    try:
        first.wait_for_line("^worker")
        url = url_of(data)
        port = url.rpartition(":")[2]
        told = json.loads(run("deploy", str(project), "--data", str(data), "--json").stdout)
        sent = httpx.post(told["webhooks"][0]["url"], json={"n": 1})
        key = {"authorization": f"Bearer {(data / 'admin-token').read_text()}"}
        found = httpx.get(f"{url}/api/provision/commands", headers=key).json()
        job = found["data"]["workflows"][0]["jobs"][0]["id"]
        token = sign_worker_token((data / "keys" / "worker-secret").read_text(), "w", 1)
        with FrameWorker(f"ws://127.0.0.1:{port}/worker", {"token": token}) as worker:
            talk = worker.take()
            talk.start()
            step = talk.start_step(job)
            talk.log("before", step_id=step)
            first.kill()
        second = Command("platform", "--data", str(data), "--port", port)
        try:
            second.wait_for_line("^worker")
            with FrameWorker(f"ws://127.0.0.1:{port}/worker", {"token": token}) as worker:
                assert worker.join_run(talk.run)["status"] == "ok"
                again = RunTalk(worker, talk.run)
                again.ok("step:complete", again.step_end(step, job))
                assert again.complete()["status"] == "ok"
            run_id = sent.headers["x-meta-run-id"]
            found = httpx.get(f"{url}/api/runs/{run_id}", headers=key).json()
            assert found["data"]["attributes"]["state"] == "success"
            logs = httpx.get(f"{url}/api/runs/{talk.id}/logs", headers=key).json()["data"]
            assert [line["message"] for line in logs] == ["before"]
        finally:
            second.kill()
    finally:
        first.kill()
