"""What is typed at the prompt, and what becomes of the state."""

from __future__ import annotations

import pytest

from holdfast.cli.repllines import Line, Session, code_of, is_unfinished, judged, read
from holdfast.engine.run.syntax import verdicts


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", Line("nothing")),
        ("  .state data ", Line("state", "data")),
        (".undo", Line("undo")),
        ("state.data[0];", Line("look", "state.data[0]")),
        ("state", Line("look", "state")),
        ("$.data", Line("look", "$.data")),
        ("= 1 + 1", Line("look", "1 + 1")),
        ("state => state", Line("job", "state => state")),
        ("statement('x')", Line("job", "statement('x')")),
        ("get('/x');", Line("job", "get('/x');")),
    ],
)
def test_a_line_is_an_operation_a_look_or_an_order(typed: str, expected: Line) -> None:
    assert read(typed) == expected


@pytest.mark.parametrize(
    ("typed", "unfinished"),
    [
        ("fn(state => ({", True),
        ("get('/x'", True),
        ("fn(s => s)", False),
        ("foo(a b", True),
        ("foo(a b)", False),
        ("= 1 +", True),
        ("= [1,", True),
        ("= )", False),
        ("'abc", False),
    ],
)
def test_v8_says_whether_more_has_to_come(typed: str, *, unfinished: bool) -> None:
    line = read(typed)
    (verdict,) = verdicts([judged(line)])
    found = verdict is not None and is_unfinished(
        line, str(verdict["message"]), int(verdict["line"] or 0)
    )
    assert found is unfinished


def test_undo_takes_back_state_and_code() -> None:
    session = Session({"n": 1})
    session.take("fn(a)", {"n": 2})
    session.take("fn(b);", {"n": 3})
    assert session.code == "fn(a);\nfn(b);"
    assert session.undo()
    assert (session.state, session.code) == ({"n": 2}, "fn(a);")
    assert session.undo()
    assert not session.undo()
    assert session.state == {"n": 1}


def test_paths_lead_into_the_state() -> None:
    session = Session({"data": {"items": [{"id": 7}], "a-b": None}})
    assert session.at("data.items[0].id") == 7
    assert session.at("state.data.a-b") is None
    assert session.at("") == session.state
    for path, missing in (("data.x", "x"), ("data.items[1]", "1"), ("data.items[0].id.y", "y")):
        with pytest.raises(LookupError, match=missing):
            session.at(path)


def test_a_look_keeps_the_lines_of_the_expression() -> None:
    assert "await (\n1 +\n1\n)" in code_of(Line("look", "1 +\n1"))
