"""`holdfast up --require-isolation`: what it does with what `doctor` says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from holdfast.cli.up import require
from holdfast.engine.config import EngineError


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script that is called instead of `python -m holdfast.cli.main doctor`."""
    script = tmp_path / "doctor"
    script.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    return script


def test_machine_below_the_level_is_refused_with_the_words_of_doctor(doctor: Path) -> None:
    said = "error: Not full: namespaces.\n  See the docs."
    doctor.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 2")
    with pytest.raises(EngineError) as refused:
        require("full", doctor.parent)
    assert (refused.value.message, refused.value.fix) == ("Not full: namespaces.", "See the docs.")


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (
            "echo 'Traceback (…):\nOSError: full' >&2; exit 1",
            "1. OSError: full",
        ),
        ("echo '{}'; exit 2", "ended with code 2"),
        ("kill -9 $$", "ended with code -9"),
    ],
)
def test_doctor_that_fails_is_told_without_a_traceback(doctor: Path, end: str, words: str) -> None:
    doctor.write_text(f"#!/bin/sh\n{end}\n")
    with pytest.raises(EngineError, match=words):
        require("basic", doctor.parent)


def test_machine_at_the_level_passes(doctor: Path) -> None:
    doctor.write_text("#!/bin/sh\nexit 0")
    require("full", doctor.parent)


def test_nothing_is_asked_where_nothing_is_required(doctor: Path) -> None:
    doctor.unlink()
    require(None, doctor.parent)


def test_real_doctor_knows_the_levels(tmp_path: Path) -> None:
    require("none", tmp_path)
    with pytest.raises(EngineError, match="no isolation level 'hard'"):
        require("hard", tmp_path)
