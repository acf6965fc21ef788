"""Causes that no test can provoke cheaply, whose turn they are, and the words of the catalogue."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import holdfast
from holdfast.diagnosis import world_rules
from holdfast.diagnosis.catalogue import CATALOGUE, expanded
from holdfast.diagnosis.diagnose import diagnose, fingerprint, rows
from holdfast.diagnosis.ending import Ending
from holdfast.diagnosis.entry import Turn
from holdfast.diagnosis.paths import ending_expression, meant, walked
from holdfast.diagnosis.world_rules import hole_in
from holdfast.model.json import Json, JsonObject

#: reason, error type, message, causes -> code and turn.
BLAME: list[tuple[str, str, str, list[Json], str, str]] = [
    ("exception", "EngineFailure", "Node.js could not start", [], "HF1901", "operator"),
    ("exception", "SetupError", "no namespaces", [], "HF1901", "operator"),
    ("exception", "StorageError", "No space left on device", [], "HF1901", "operator"),
    ("exception", "HostOutOfMemory", "The machine ran out of memory", [], "HF1901", "operator"),
    ("exception", "HostRestarted", "The machine was started again", [], "HF1902", "operator"),
    ("exception", "ExternalKill", "ended from outside (SIGKILL)", [], "HF1902", "operator"),
    ("exception", "ShimLost", "The process that watched died", [], "HF1902", "operator"),
    ("exception", "CompilerFailure", "The compiler ended", [], "HF1903", "holdfast"),
    ("crash", "EngineCrash", "Node.js crashed (SIGSEGV)", [], "HF1903", "holdfast"),
    ("exception", "UnknownEnd", "nothing explains it", [], "HF1903", "holdfast"),
    ("cancel", "Cancelled", "wanted", [], "HF1904", "nobody"),
    ("lost", "LostAfterClaim", "", [], "HF1905", "operator"),
    ("exception", "CredentialLoadError", "dhis2 was not found", [], "HF1203", "operator"),
    ("exception", "AutoinstallError", "@openfn/language-htpp@1.0.0: no such package", [], "HF1501",
     "author"),
    ("exception", "AutoinstallError", "@openfn/language-http: the registry cannot be reached", [],
     "HF1501", "operator"),
    ("exception", "DataClipError", "The run's input is not JSON", [], "HF1124", "data"),
    ("fail", "AdaptorError", "x", [{"code": "ECONNRESET", "message": "socket hang up"}], "HF1305",
     "system"),
    ("fail", "AdaptorError", "x", [{"code": "ETIMEDOUT"}], "HF1306", "system"),
    ("fail", "AdaptorError", "x", [{"code": "EAI_AGAIN", "hostname": "a.org"}], "HF1302",
     "operator"),
    ("fail", "AdaptorError", "x", [{"code": "CERT_HAS_EXPIRED"}], "HF1303", "system"),
    ("fail", "AdaptorError", "x", [{"statusCode": 409, "method": "POST", "url": "http://a/b"}],
     "HF1310", "data"),
    ("fail", "AdaptorError", "x", [{"status": 500}], "HF1312", "system"),
    ("fail", "AdaptorError", "x", [{"status": 404, "method": "GET", "url": "http://a/b/undefined"}],
     "HF1313", "data"),
    ("fail", "AdaptorError", "x", [{"status": 404, "url": "http://a/undefinedness"}], "HF1309",
     "author"),
    ("fail", "JobError", "Request failed with status code 502",
     [{"message": "Request failed with status code 502"}], "HF1312", "system"),
    ("kill", "StateTooLargeError", "State exceeds the limit of 10mb", [], "HF1404", "author"),
    ("kill", "OutputLimitError", "too many logs", [], "HF1405", "author"),
    ("kill", "SecurityError", "Run tried a system call that is forbidden", [], "HF1503", "author"),
]  # fmt: skip


def test_null_is_missing_in_a_path_and_may_be_meant_in_a_query() -> None:
    assert [hole_in(address) for address in HOLES] == [*HOLES.values()]


def test_runs_and_diagnoses_see_the_same_holes() -> None:
    engine = Path(holdfast.__file__).parent / "engine" / "javascript"
    [found] = re.findall(
        r"^const HOLE = /(.*)/;$", (engine / "requests.mjs").read_text(), re.MULTILINE
    )
    assert found.replace(r"\/", "/") == world_rules._HOLE.pattern


HOLES = {
    "/patients/undefined": "undefined",
    "/patients?id=undefined&n=1": "undefined",
    "/patients/[object%20Object]/x": "[object Object]",
    "GET https://a.org/items/null": "null",
    "/items/null/notes?x=1": "null",
    "/items/null.json": "null",
    "/items?filter=closed:null": None,
    "/items?parent=null&a=b": None,
    "/items?path=/a/null": None,
    "/items?or=(a.eq.null,b)": None,
    "/null-island": None,
    "/undefinedness": None,
}
#: Messages and facts that a run may send: its error carried them, or it has forged them.
FORGED: list[tuple[str, JsonObject]] = [
    ("x", {"causes": [{"statusCode": 404, "url": "http://["}]}),
    ("x", {"causes": [{"code": "ECONNREFUSED", "url": "http://[::1"}]}),
    ("x", {"causes": [{"status": "²"}, {"status": "9" * 400}]}),
    ("url", {"state": {"configuration": {"a": 1}}, "adaptors": [{"required": 5, "keys": True}]}),
    ("does not provide an export", {"adaptors": [{"exports": 7, "name": []}], "findings": [1]}),
    ("InvalidOperationError: Invalid operation at statement " + "9" * 5000, {}),
    ("Cannot read properties of undefined (reading 'x')", {"code": "\n" * 60_000 + "s.q.r"}),
    ("Cannot read properties of undefined (reading 'x')", {"code": "{ x" * 20_000 + "s.q.r"}),
    ("x is not iterable" * 1000, {"state": {"x": {"[]": {}, "[0]": 4}}}),
    ("Cannot destructure property '" + "'" * 9000, {}),
    ("x", {"state": {"[]": {"a": []}}, "operation": {}, "name": [], "line": "x"}),
]


@pytest.mark.parametrize(("message", "facts"), FORGED)
@pytest.mark.parametrize("kind", ["JobError", "AdaptorError", "TypeError", "TimeoutError"])
def test_forged_facts_are_explained_too(kind: str, message: str, facts: JsonObject) -> None:
    end = Ending(
        "fail", kind, message, "s" * 1000, {"line": 1, "column": 2**53, "src": "x"}, facts
    )
    found = diagnose(end)
    assert found is not None
    assert found.code in CATALOGUE
    assert sum(map(len, rows(found))) < 10_000


@pytest.mark.parametrize(("reason", "kind", "message", "causes", "code", "turn"), BLAME)
def test_turn_of_a_made_failure(
    reason: str, kind: str, message: str, causes: list[Json], code: str, turn: str
) -> None:
    found = diagnose(Ending(reason, kind, message, facts={"causes": causes}))
    assert found is not None
    assert (found.code, found.turn) == (code, turn)


def test_success_has_no_diagnosis() -> None:
    assert diagnose(Ending("success")) is None


def test_address_is_told_without_its_secrets() -> None:
    cause: JsonObject = {
        "statusCode": 500,
        "method": "get",
        "url": "https://me:pass@a.org/x?token=12",
    }
    found = diagnose(Ending("fail", "AdaptorError", "x", facts={"causes": [cause]}))
    assert found is not None
    assert "GET https://a.org/x" in found.what
    assert "pass" not in found.what
    assert "token" not in found.what


def test_same_problem_has_the_same_fingerprint_whatever_the_values() -> None:
    place: JsonObject = {"line": 3, "src": "  throw new Error(`no ${id}`)"}
    one = Ending("fail", "JobError", "no patient 17 in 'north'", "a", place)
    two = Ending("fail", "JobError", "no patient 9 in 'south'", "a", {**place, "line": 5})
    other = Ending("fail", "JobError", "no clinic 9 in 'south'", "a", place)
    assert fingerprint("HF1115", one) == fingerprint("HF1115", two)
    assert fingerprint("HF1115", one) != fingerprint("HF1115", other)


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.code)
def test_entry_is_whole_and_can_be_expanded(entry: object) -> None:
    text = expanded(entry)  # type: ignore[arg-type]  # each is an Entry
    assert re.match(r"HF1\d{3}  \S", text)
    assert not re.search(r"\{[a-z]+\}", text.split("Example:")[0])
    assert "Whose turn it is" in text


@pytest.mark.parametrize(
    ("before", "path"),
    [
        ("fn(s => s.data.a", "s.data.a"),
        ("x = state\n  .data\n  .items[0]", "state.data.items[0]"),
        ("a + b['c d']", "b['c d']"),
        ("f()", None),
    ],
)
def test_expression_before_an_error(before: str, path: str | None) -> None:
    assert ending_expression(before) == path


@pytest.mark.parametrize(
    ("path", "code", "steps"),
    [
        ("state.data.a", "", ["data", "a"]),
        ("s.data", "fn(s => s.data", ["data"]),
        ("d.a", "fn(state => { const d = state.data; d.a", ["data", "a"]),
        ("p.id", "fn(s => s.data.rows.map(p => p.id", ["data", "rows", "[0]", "id"]),
        ("row.id", "fn(state => { for (const row of state.data) row.id", ["data", "[0]", "id"]),
        ("data.a", "fn(({ data }) => data.a", ["data", "a"]),
        ("data.a", "fn(s => { const { data } = s; data.a", ["data", "a"]),
        ("other.a", "const other = make(); other.a", None),
    ],
)
def test_names_stand_for_state_where_the_code_says_so(
    path: str, code: str, steps: list[str] | None
) -> None:
    assert meant(path, code) == steps


def test_walk_ends_where_a_key_is_missing() -> None:
    walk = walked(["data", "a", "b"], {"data": {"c": "string"}})
    assert (walk.path, walk.missing, walk.before, walk.keys) == (
        "state.data.a", "a", "state.data", ["c"],
    )  # fmt: skip


def timed_out(*, pending: bool, hot: bool, cpu_ms: int | None = None) -> str:
    """The code of a run that was on a processor when its time was up."""
    notes: JsonObject = {"computing": True}
    if hot:
        notes["hot"] = {"line": 3}
    asked = ("GET a.org/p",) if pending else ()
    times: JsonObject = {} if cpu_ms is None else {"cpu_ms": cpu_ms, "duration_ms": 10_000}
    found = diagnose(
        Ending("kill", "TimeoutError", "late", evidence={"notes": notes, **times}, pending=asked)
    )
    assert found is not None
    if found.code == "HF1402":
        assert ("line 3 was running" in found.what) == hot
        assert ("most likely a loop" in found.what) == (cpu_ms is None or cpu_ms > 6000)
    return found.code


def test_amid_a_request_only_a_line_of_the_author_proves_a_loop() -> None:
    assert timed_out(pending=True, hot=False) == "HF1401"
    assert timed_out(pending=True, hot=True) == "HF1402"
    assert timed_out(pending=False, hot=False) == "HF1402"
    assert timed_out(pending=True, hot=True, cpu_ms=9000) == "HF1402"
    assert timed_out(pending=True, hot=True, cpu_ms=3000) == "HF1402"
    assert timed_out(pending=True, hot=True, cpu_ms=300) == "HF1401", "it had hardly computed"


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        ({"message": "Status code does not exist: 529"}, "HF1312"),
        ({"code": "UND_ERR_RES_CONTENT_LENGTH_MISMATCH", "message": "terminated"}, "HF1305"),
    ],
)
def test_strange_answers_are_the_other_systems(cause: JsonObject, code: str) -> None:
    found = diagnose(Ending("fail", "RuntimeError", "x", facts={"causes": [cause]}))
    assert found is not None
    assert (found.code, found.turn) == (code, Turn.SYSTEM)
