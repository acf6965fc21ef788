"""`make demo ARGS=--once`, as a new user types it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from holdfast.adaptors import Store
from support.command import ROOT


def test_the_demo_runs_its_workflow(tmp_path: Path, adaptor_store: Store) -> None:
    done = subprocess.run(
        ["make", "demo", f"ARGS=--once --port 0 --data {tmp_path}"],
        cwd=ROOT,
        env={**os.environ, "WORKER_REPO_DIR": str(adaptor_store.root)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ": success" in done.stdout
    assert "Write register     success" in done.stdout
    assert "the register now holds 4 patients" in done.stdout
    assert "/runs/" in done.stdout
