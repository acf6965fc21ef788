"""What lies in `deploy/` fits the product, and the check notices when it does not."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_deploy", ROOT / "scripts/check_deploy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_everything_is_in_order(check: ModuleType) -> None:
    assert list(check.problems()) == []


@pytest.mark.parametrize(
    ("file", "before", "after", "words"),
    [
        ("systemd/holdfast-worker.service", "TimeoutStopSec=390", "TimeoutStopSec=60", "below"),
        ("systemd/holdfast-worker.service", "KillMode=mixed", "KillMode=process", "drains"),
        ("Dockerfile", "USER 10001", "USER root", "runs as root"),
        ("Dockerfile", "COPY src ", "COPY gone ", "not there"),
        ("compose.yaml", "journals:/data", "./x:/elsewhere", "no volume"),
        ("cluster.yaml", "journals3:/data", "journals1:/data", "no volume of its own"),
        ("cluster.yaml", "HOLDFAST_PROXIES", "HOLDFAST_PROXY", "reads no variable"),
        (
            "helm/holdfast/templates/platform.yaml",
            "HOLDFAST_PUBLIC_URL",
            "HOLDFAST_URL_HERE",
            "reads no variable",
        ),
        ("compose.yaml", "WORKER_LOG_FORMAT", "WORKER_LOG_FORMATS", "reads no variable"),
        ("kubernetes/worker.yaml", "Seconds: 390", "Seconds: 30", "below"),
        ("kubernetes/worker.yaml", "memory: 3440Mi}", "memory: 2Mi}", "memory limit"),
        ("monitoring/alerts.yaml", "worker_ready == 0", "worker_redy == 0", "no figure redy"),
        (
            "monitoring/platform-alerts.yaml",
            "claimable_wait_",
            "claimable_",
            "no figure claimable_seconds",
        ),
        ("monitoring/platform-dashboard.json", "queue_runs", "queued", "no figure queued"),
        ("monitoring/dashboard.json", "slots_free", "free_slots", "no figure free_slots"),
    ],
)
def test_a_mistake_is_noticed(
    check: ModuleType,
    file: str,
    before: str,
    after: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    text = (tmp_path / "deploy" / file).read_text()
    assert before in text
    (tmp_path / "deploy" / file).write_text(text.replace(before, after))
    monkeypatch.setattr(check, "DEPLOY", tmp_path / "deploy")
    monkeypatch.setattr(check.shutil, "which", lambda _: None)  # systemd has judged it once
    assert any(words in problem for problem in check.problems())


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ("", ""),
        ("node ./dist/start.js --capacity 5", "--capacity 5"),
        ("pnpm start:prod -l wss://x/worker", "-l wss://x/worker"),
        ("--log-format json start", "--log-format json start"),
        ("start --no-loop", "--no-loop"),
        ("-p 2222", "-p 2222"),
    ],
)
def test_the_image_takes_the_arguments_of_the_references_image(
    given: str, passed: str, tmp_path: Path
) -> None:
    fake = tmp_path / "holdfast"
    fake.write_text('#!/bin/sh\necho "$@"\n')
    fake.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", ROOT / "deploy" / "entrypoint.sh", *given.split()],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["worker", *passed.split()]
