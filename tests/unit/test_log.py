"""Lines of the log: one for each event, which a program can read again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast import log, log_libraries
from holdfast.model.errors import UsageError


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    log.set_up("info")
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def test_a_line_is_time_level_event_and_pairs() -> None:
    context: dict[str, object] = {"run": "ab-1", "why": "no room left", "code": None}
    assert log.line("warn", "run.ended", context, 1767268800.0625) == (
        '2026-01-01T12:00:00.062Z warn run.ended run=ab-1 why="no room left" code=null'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", '""'),
        ("a b", '"a b"'),
        ("a=b", '"a=b"'),
        ('say "x"', r'"say \"x\""'),
        ("two\nlines", r'"two\nlines"'),
        ("a\rb\x1b[31m", r'"a\rb\u001b[31m"'),
        ("äöü", "äöü"),
        (1.5, "1.5"),
    ],
)
def test_a_value_stays_on_its_line_and_within_its_key(value: object, text: str) -> None:
    assert log.line("info", "a.b", {"key": value}, 0).endswith(f" a.b key={text}")


def test_only_what_was_asked_for_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    for level, expected in (("debug", 4), ("info", 3), ("warn", 2), ("error", 1), ("none", 0)):
        log.set_up(level)
        log.debug("a.b")
        log.info("a.b")
        log.warn("a.b")
        log.error("a.b")
        assert len(capsys.readouterr().err.splitlines()) == expected


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(UsageError, match="'loud' is unknown"):
        log.set_up("loud")


def test_a_failure_is_one_line_with_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        dict[str, str]()["missing"]  # the error is wanted
    except KeyError as error:
        log.failure("a.failed", error, run="r")
    (said,) = capsys.readouterr().err.splitlines()
    assert " error a.failed run=r why=\"KeyError: 'missing'\" trace=" in said
    assert "test_a_failure_is_one_line" in said


def test_a_closed_stderr_ends_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    closed = (tmp_path / "closed").open("w")
    closed.close()
    monkeypatch.setattr("sys.stderr", closed)
    log.error("a.b")


def test_libraries_speak_in_the_same_style(capsys: pytest.CaptureFixture[str]) -> None:
    log_libraries.capture()
    logging.getLogger("some.library").warning("it has %s", "started")
    logging.getLogger("some.library").info("not of interest")
    try:
        Path("/no/such/file").read_text()
    except OSError:
        logging.getLogger("some.library").exception("it failed")
    said, failed = capsys.readouterr().err.splitlines()
    assert said.endswith(' warn library.said library=some.library text="it has started"')
    assert (
        ' error library.failed library=some.library text="it failed" why="FileNotFound' in failed
    )
