"""What is wrong outside is said in one message that helps; never a traceback."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from support import command
from support.product import Product


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


@pytest.mark.parametrize("name", ["up", "platform"])
def test_a_port_in_use(tmp_path: Path, name: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = command.run(name, "--data", str(tmp_path), "--port", str(port))
    refused(done, f"port {port} is in use", "--port")


@pytest.mark.parametrize("name", ["up", "platform"])
def test_an_unwritable_data_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    done = command.run(name, "--data", str(tmp_path / "file" / "data"), "--port", "0")
    refused(done, "data folder", "--data")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: demo\nworkflows:\n  a: [\n", ["project.yaml:4"]),
        ("name: demo\nworkflows:\n  a:\n    name: a\n    jobs: 5\n", ["project.yaml:5"]),
        ("- 1\n", ["project.yaml:1"]),
    ],
)
def test_broken_yaml_names_file_and_line(
    tmp_path: Path, product: Product, text: str, words: list[str]
) -> None:
    path = tmp_path / "project.yaml"
    path.write_text(text)
    refused(command.run("deploy", str(path), "--data", str(product.data)), *words)


def test_a_platform_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "project.yaml"
    path.write_text("name: demo\nworkflows: {}\n")
    done = command.run("deploy", str(path), "--url", "http://127.0.0.1:9", "--token", "t")
    refused(done, "cannot reach the platform", "holdfast up")


def test_a_wrong_worker_secret(tmp_path: Path, product: Product) -> None:
    done = command.run(
        "worker",
        env={
            "WORKER_LIGHTNING_SERVICE_URL": product.url.replace("http", "ws") + "/worker",
            "WORKER_SECRET": "not-the-secret",
            "WORKER_PORT": "0",
            "HOLDFAST_DATA": str(tmp_path),
        },
    )
    text = done.stdout + done.stderr
    assert done.returncode == 2, text
    assert "WORKER_SECRET" in text
    assert "not-the-secret" not in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-i", '{"a": NaN}'), "NaN is not JSON"),
        (("-i", "[" * 5000), "nested too deeply"),
        (("--timeout", "nan"), "--timeout"),
        (("-o", "/nonexistent/x.json"), "/nonexistent does not exist"),
        (("--start", "nope"), "The steps are: job-1"),
    ],
)
def test_what_run_cannot_work_with(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    (tmp_path / "job.js").write_text("export default [s => s]")
    refused(command.run("run", str(tmp_path / "job.js"), *arguments), words)


def test_a_database_address_that_is_none(tmp_path: Path) -> None:
    done = command.run(
        "platform", "--data", str(tmp_path), "--port", "0", env={"DATABASE_URL": "nonsense"}
    )
    refused(done, "database address")
