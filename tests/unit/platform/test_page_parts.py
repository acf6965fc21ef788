"""What the pages are made of: code with its mark, names, differences, the time line."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from holdfast.model.json import Json
from holdfast.platform.causes.naming import Names, names_of, plain_refusals
from holdfast.platform.web import code
from holdfast.platform.web.bars import HEIGHT, WIDTH, Bar
from holdfast.platform.web.compare import MOST, Change, difference
from holdfast.platform.web.explain import error_words
from holdfast.platform.web.logview import Asked
from holdfast.platform.web.timeline import Memory, of_steps, timeline
from holdfast.platform.web.words import handled_words

JOB, EDGE, KEY = (f"0000000{n}-0000-0000-0000-000000000000" for n in (1, 2, 3))
BODY = "fn(a);\n\tfn(b.c);\nfn(d);\nfn(e);\nfn(f);\nfn(g);\nfn(h);\n"


def test_the_frame_has_numbers_and_a_mark_under_the_column() -> None:
    lines = code.frame(BODY, 2, 6)
    assert [line.number for line in lines] == [1, 2, 3, 4, 5]
    assert [line.caret for line in lines] == [None, "\t    ", None, None, None]
    whole = code.numbered(BODY, 7, None)
    assert [line.number for line in whole] == [1, 2, 3, 4, 5, 6, 7]
    assert whole[6].caret == ""


@pytest.mark.parametrize("line", [None, 0, -1, 9, 10**6])
def test_a_place_that_the_code_does_not_have_is_no_frame(line: int | None) -> None:
    assert code.frame(BODY, line, 1) == []


def test_a_long_line_is_cut_with_its_mark() -> None:
    (line,) = code.frame("x" * 10**6, 1, 10**6)
    assert len(line.text) < 500
    assert len(line.caret or "") < 500


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{'errors': {'id': ['not found']}}", "id: not found"),
        ('x {"errors":{"id":["a","b"]}} y', "x id: a, b y"),
        ("{'errors': {'id': [\"it's\"], 'b': ['{']}}", "id: it's; b: {"),
        ("{'errors': broken", "{'errors': broken"),
        ("{'errors': {'a': __import__('os')}}", "{'errors': {'a': __import__('os')}}"),
        ("{'error': 'x'}", "{'error': 'x'}"),
    ],
)
def test_a_refusal_is_told_in_words(text: str, words: str) -> None:
    assert plain_refusals(text) == words


def test_ids_are_told_by_their_names() -> None:
    parts = {
        "triggers": [],
        "jobs": [{"id": JOB, "name": "Fetch"}],
        "edges": [
            {"id": EDGE, "source_trigger_id": None, "source_job_id": "x", "target_job_id": JOB}
        ],
    }
    names = names_of({KEY: "dhis2-login"}, parts)
    assert names.words(f"credential {KEY} of {JOB}") == 'credential "dhis2-login" of "Fetch"'
    assert names.words(f"edge {EDGE}") == 'edge "? → Fetch"'
    assert names.words(f"state.errors.{JOB}") == f"state.errors.{JOB}"
    unknown = "99999999-0000-0000-0000-000000000000"
    assert Names().words(unknown) == unknown


@pytest.mark.parametrize(
    ("kind", "message", "words"),
    [
        ("ReferenceError", "ReferenceError: x is not defined", "ReferenceError: x is not defined"),
        ("E", "ReferenceError: ReferenceError: x", "ReferenceError: x"),
        ("RuntimeError", "TypeError: y", "TypeError: y"),
        ("JobError", "no patient", "no patient"),
        ("OOMError", None, "OOMError"),
        (None, None, ""),
    ],
)
def test_an_error_names_its_class_once(kind: str | None, message: str | None, words: str) -> None:
    assert error_words(kind, message) == words


def test_handled_failures_have_words_of_their_own() -> None:
    assert handled_words(1) == "Success, 1 step failed and was handled"
    assert handled_words(3) == "Success, 3 steps failed and were handled"


def test_the_difference_tells_paths() -> None:
    before: Json = {"a": 1, "b": [1, {"c": 2}], "gone": None, "same": {"x": []}, "odd key": 1}
    after: Json = {"a": True, "b": [1, {"c": 3}, 4], "same": {"x": []}, "odd key": 2, "new": "n"}
    assert difference(before, after).changes == [
        Change("a", "changed", "1", "true"),
        Change("b[1].c", "changed", "2", "3"),
        Change("b[2]", "added", None, "4"),
        Change("gone", "removed", "null", None),
        Change('["odd key"]', "changed", "1", "2"),
        Change("new", "added", None, '"n"'),
    ]
    many = difference([], list(range(MOST + 5)))
    assert (len(many.changes), many.more) == (MOST, True)
    assert difference(1, {"a": 1}).changes == [Change("(all)", "changed", "1", '{"a": 1}')]


def step(**values: Any) -> Any:
    return SimpleNamespace(**{"id": "s", "job_id": JOB, "exit_reason": "success", **values})


def run(**values: Any) -> Any:
    times = {"inserted_at": 0, "claimed_at": 9_000, "started_at": 10_000, "finished_at": 20_000}
    return SimpleNamespace(**{**times, **values})


def test_the_time_line_begins_with_the_claim_and_keeps_the_wait_apart() -> None:
    steps = [
        step(started_at=11_000, finished_at=15_000),
        step(started_at=15_000, finished_at=20_000, exit_reason="fail"),
    ]
    drawn = timeline(run(), steps, {JOB: "Fetch"}, 99, Memory())
    assert [bar.title for bar in drawn.bars] == [
        "Waiting", "Preparing", "Compiling", "Fetch", "Fetch",
    ]  # fmt: skip
    assert drawn.bars[0] == Bar("wait", "Waiting", 0, 9_000, None, 0)
    assert [bar.state for bar in drawn.bars[3:]] == ["success", "failed"]
    ends = [(bar.x or 0) + bar.width for bar in drawn.bars[1:]]
    assert ends == sorted(ends)
    assert ends[-1] == WIDTH


def test_a_run_that_goes_on_reaches_to_now() -> None:
    running = step(started_at=11_000, finished_at=None, exit_reason=None)
    drawn = timeline(run(finished_at=None), [running], {}, 29_000, Memory())
    last = drawn.bars[-1]
    assert (last.until, last.title, last.state) == (None, JOB, "started")
    assert (last.x or 0) + last.width == WIDTH


def test_a_step_of_an_earlier_run_is_no_bar() -> None:
    kept = step(started_at=1, finished_at=2)
    assert timeline(run(), [kept], {}, 99, Memory()).bars[-1].x is None


def test_memory_stays_in_its_picture_with_its_limit() -> None:
    memory = Memory([(0, 10.0), (15_000, 300.0), (99_000, 50.0)], 200.0)
    drawn = timeline(run(), [], {}, 99, memory)
    points = [tuple(map(int, point.split(","))) for point in (drawn.line or "").split()]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    assert 0 < (drawn.limit or 0) < HEIGHT
    assert (drawn.peak_mb, drawn.limit_mb) == (300.0, 200.0)


@pytest.mark.parametrize("system", [None, "x", -1, float("nan"), 10**16])
def test_measures_that_no_machine_has_made_are_left_out(system: Any) -> None:
    good = {"system": 5 << 20}
    steps = [step(started_at=0, finished_at=at) for at in (1, 2)]
    assert of_steps(steps, [{"system": system}, good]) == [(2, 5.0)]


@pytest.mark.parametrize(
    ("query", "line", "after", "kind"),
    [
        ({"line": "73,412"}, 73412, 0, "normal"),
        ({"line": "-3", "after": "x", "show": "odd"}, None, 0, "normal"),
        ({"after": "9" * 30}, None, 0, "normal"),
        ({"after": "7", "show": "warn"}, None, 7, "warn"),
        ({"line": "\u00b2"}, None, 0, "normal"),
    ],
)
def test_the_address_of_a_log_may_be_typed(
    query: dict[str, str], line: int | None, after: int, kind: str
) -> None:
    asked = Asked.read(query)
    assert (asked.line, asked.after, asked.choice.kind) == (line, after, kind)
