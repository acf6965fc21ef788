"""`holdfast up --require-isolation`: what it does with what `doctor` says."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from holdfast.cli.up import require
from holdfast.engine.config import EngineError


@pytest.fixture
def strong(monkeypatch: pytest.MonkeyPatch) -> None:
    report = json.dumps({"level": "strong"})
    answer = subprocess.CompletedProcess((), 0, stdout=report)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)


@pytest.mark.usefixtures("strong")
def test_a_machine_below_the_level_is_refused(tmp_path: Path) -> None:
    require("basic", tmp_path)
    require("strong", tmp_path)
    with pytest.raises(EngineError, match="offers the isolation level strong, not full"):
        require("full", tmp_path)


def test_nothing_is_asked_where_nothing_is_required(tmp_path: Path) -> None:
    require(None, tmp_path)
    with pytest.raises(EngineError, match="no isolation level 'hard'"):
        require("hard", tmp_path)
