"""What a test case expects, against what a run did."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.cli.casefile import Case, read_cases
from holdfast.cli.casejudge import Seen, differences, judged
from holdfast.cli.mockserver import Mock
from holdfast.model.errors import UsageError
from holdfast.model.json import Json, JsonObject


@pytest.mark.parametrize(
    ("wanted", "found", "count"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, 0),
        ({"a": 1}, {"a": 2}, 1),
        ({"a": 1}, {}, 1),
        ([1, 2], [1, 2], 0),
        ([1], [1, 2], 1),
        (1, True, 1),
        (1, 1.0, 0),
        ({"a": [{"b": "x"}]}, {"a": [{"b": "y"}]}, 1),
    ],
)
def test_differences_count_wanted_keys_and_all_items(
    wanted: Json, found: Json, count: int
) -> None:
    assert len(differences(wanted, found, "a")) == count


def seen(reason: str = "success", **more: Json) -> Seen:
    outcome: JsonObject = {"reason": reason, "error_type": "JobError", "error_message": "no"}
    return Seen(Path(), ["a"], set(), {"a": {"n": 1}}, [], {**outcome, **more})


def test_path_output_requests_and_log_are_judged() -> None:
    case = Case("c", Path(), "w", path=["a", "b"], expect={"a": {"n": 2}, "b": {}}, logs=["hi"])
    wrong = judged(case, seen(), ["GET /x"], ["POST /y"])
    assert wrong == [
        "path: a > b was expected, it was a",
        "a.n: 2 was expected, it is 1",
        "b: it left no output",
        "request that the case does not tell of: GET /x",
        "request that never came: POST /y",
        "log: hi is not in it",
    ]


def test_an_expected_failure_passes_and_another_one_does_not() -> None:
    assert judged(Case("c", Path(), "w", fails="JobError"), seen("fail"), [], []) == []
    assert judged(Case("c", Path(), "w", fails="HF1101"), seen("fail"), [], [])
    assert judged(Case("c", Path(), "w", fails="JobError"), seen(), [], [])
    assert judged(Case("c", Path(), "w"), seen("fail"), [], [])


def test_answers_are_given_in_order_and_as_often_as_told() -> None:
    mock = Mock([{"url": "/a", "times": 1, "status": 500}, {"url": "/a"}, {"url": "/b"}])
    own = "127.0.0.1:0"
    first, second = mock.answer("GET", own, "/a?x=1"), mock.answer("GET", own, "/a")
    assert first is not None
    assert second is not None
    assert (first.get("status"), second.get("status")) == (500, None)
    assert mock.answer("GET", own, "/c") is None
    assert (mock.unknown, mock.missing()) == (["GET /c"], ["GET /b"])


def test_a_whole_address_is_answered_for_its_host_only() -> None:
    mock = Mock([{"url": "https://a.org/p?n=1"}])
    assert mock.answer("GET", "b.org", "/p?n=1") is None
    assert mock.answer("GET", "a.org", "/p") is None
    assert mock.answer("GET", "a.org", "/p?n=1") is not None
    assert mock.unknown == ["GET b.org/p?n=1", "GET a.org/p"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "cases"),
        ("cases: {a: 1}", 'case "a": a map'),
        ("cases: {a: {inptu: {}}}", "inptu is not known"),
        ("cases: {a: {path: x}}", "path must be a list"),
        ("cases: {a: {requests: [{status: 1}]}}", "url"),
    ],
)
def test_wrong_test_files_name_the_place(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"cases\.yaml") as refused:
        read_cases(path)
    assert words in refused.value.message
