"""What an author is told of an error: through compiler, V8 and Node, in the author's own text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from conformance.launching import Launch, record
from conformance.recording import Recording
from holdfast.adaptors import InstalledAdaptor
from holdfast.engine.client import start_supervisor
from holdfast.model.record import Kind
from support.waiting import finish

COMMON = "@openfn/language-common@3.3.4"
DATA = json.dumps([{"id": number, "name": f"row {number}"} for number in range(30_000)])

JOBS = {
    "type error": """fn(state => state);

fn(state => {
  const patient = state.data.patient;
  return { ...state, name: patient.name.first };
});
""",
    "lazy state": """fn(s => s);
each($.data.items, state => {
  state.missing.push($.data.x); return state;
});""",
    "named helper": """function first(list) {
  return list[0].id;
}
fn(state => ({ ...state, id: first(state.data.none ?? []) }));""",
    "thrown": """fn(state => {
  if (!state.data.ok) throw new Error('not ok');
  return state;
});""",
    "chained": """fn(s => s).then(state => {
  return state.nothing.here;
});""",
    "adaptor": """fn(s => s);

assert(false, 'must be true');""",
    "without a frame": """fn(s => s);

  fn(s => Promise.reject({ message: 'refused', code: 'ECONNREFUSED', port: 9 }));
fn(s => s);""",
    "behind data": f"const rows = {DATA};\n\nfn(state => rows.nothing.here);",
    "beside data": f"const rows = {DATA}; fn(state => rows[0].id.x.y);",
    "unknown name": "fn(state => state);\nfn(state => undefinedThing(state));",
    "syntax": "fn(state => state);\n\nfn(state => {\n  const = 5;\n});\n",
    "carriage returns": "fn(s => s);\r\nfn(s => {\r\n  return s.a.b;\r\n});",
    "unicode": "fn(s => s);\nfn(s => { const ü = '😀'; return s.a.b; });",
    "data kept": f"const rows = {DATA};\nfn(s => ({{ data: rows.length, last: rows[29999] }}));",
}


@pytest.fixture(scope="module")
def recordings(
    real_adaptors: dict[str, InstalledAdaptor], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Recording]:
    """Every job of JOBS, run once."""
    data = tmp_path_factory.mktemp("authors")
    journals = data / "journals"
    journals.mkdir()
    return finish(run_all(data, journals, {COMMON: real_adaptors[COMMON].to_option()}))


async def run_all(data: Path, journals: Path, adaptors: dict[str, Any]) -> dict[str, Recording]:
    found = {}
    async with start_supervisor(data) as engine:
        for name, code in JOBS.items():
            step = {"id": "job", "name": "My job", "expression": code, "adaptors": [COMMON]}
            plan = {"id": name, "workflow": {"steps": [step]}}
            launch = Launch(plan, '{"data":{"items":[1]}}', {"adaptors": adaptors})
            found[name] = await record(launch, engine, journals)
    return found


def closed(recording: Recording) -> dict[str, Any]:
    (body,) = recording.bodies(Kind.STEP_COMPLETE)
    return body


def state_errors(recording: Recording) -> dict[str, Any]:
    state = json.loads(closed(recording)["output"]["inline"])
    error: dict[str, Any] = state["errors"]["job"]
    return error


def frame(recording: Recording) -> list[str]:
    """The lines of the code frame in the log, without the blanks that fill the caret's line."""
    rows = [line["message"] for line in recording.logs("R/T") if line["level"] == "error"]
    at = rows.index(["Error occurred at:", "My job"])
    texts = [str(row[0]).rstrip() for row in rows[at + 1 :]]
    return [text for text in texts if re.match(r" *(\d+: |\^$)", text)]


def test_position_and_three_lines_around_it(recordings: dict[str, Recording]) -> None:
    recording = recordings["type error"]
    assert state_errors(recording)["pos"] == {
        "line": 5,
        "column": 36,
        "src": "  return { ...state, name: patient.name.first };",
    }
    assert state_errors(recording)["step"] == "My job"
    assert frame(recording) == [
        "4:   const patient = state.data.patient;",
        "5:   return { ...state, name: patient.name.first };",
        " " * 38 + "^",
        "6: });",
    ]


@pytest.mark.parametrize(
    ("name", "line", "column", "kind"),
    [
        ("lazy state", 3, 17, "RuntimeError"),
        ("named helper", 2, 18, "AdaptorError"),
        ("thrown", 2, 29, "JobError"),
        ("chained", 2, 24, "RuntimeError"),
        ("behind data", 3, 26, "RuntimeError"),
        ("carriage returns", 3, 14, "RuntimeError"),
        ("unicode", 2, 38, "RuntimeError"),
    ],
)
def test_the_authors_line_and_column(
    recordings: dict[str, Recording], name: str, line: int, column: int, kind: str
) -> None:
    complete = closed(recordings[name])
    assert (complete["reason"], complete["error_type"]) == ("fail", kind)
    position = complete["position"]
    assert (position["line"], position["column"]) == (line, column)
    source = JOBS[name].splitlines()[line - 1]
    assert f"{line}: {source}" in frame(recordings[name])


def test_a_position_behind_embedded_data_on_its_own_line(recordings: dict[str, Recording]) -> None:
    position = closed(recordings["beside data"])["position"]
    text = JOBS["beside data"]
    assert position["line"] == 1
    assert text[position["column"] - 1 :].startswith("y)")
    shown, caret = frame(recordings["beside data"])
    assert len(shown) < 200
    assert shown[caret.index("^") :].startswith("y)")


def test_an_adaptors_error_names_the_operation_and_its_line(
    recordings: dict[str, Recording],
) -> None:
    error = state_errors(recordings["adaptor"])
    assert (error["name"], error["operationName"], error["line"]) == ("AdaptorError", "assert", 3)
    lines = [line["message"] for line in recordings["adaptor"].logs("R/T")]
    assert ['Error reported by "assert()" operation line 3:'] in lines
    assert frame(recordings["adaptor"])[:2] == ["3: assert(false, 'must be true');", "   ^"]
    assert closed(recordings["adaptor"])["position"]["line"] == 3


def test_an_error_without_a_frame_is_put_down_to_its_operation(
    recordings: dict[str, Recording],
) -> None:
    recording = recordings["without a frame"]
    error = {"source": "runtime", "name": "JobError", "severity": "fail", "message": "refused"}
    assert state_errors(recording) == error
    lines = [line["message"] for line in recording.logs("R/T")]
    assert ['Raised in the operation "fn()"'] in lines
    assert [{"code": "ECONNREFUSED", "port": 9}] in lines
    position = closed(recording)["position"]
    assert (position["line"], position["column"]) == (3, 3)
    shown = frame(recording)
    assert [row[:8] for row in shown] == ["3:   fn(", "     ^", "4: fn(s "]


def test_a_crash_ends_the_run_with_its_position(recordings: dict[str, Recording]) -> None:
    (error,) = recordings["unknown name"].bodies(Kind.RUN_ERROR)
    assert error["error_message"] == "ReferenceError: undefinedThing is not defined"
    assert error["position"]["line"] == 2
    assert error["step"] == "job"
    outcome = recordings["unknown name"].outcome
    assert outcome is not None
    assert (outcome["reason"], outcome["error_type"]) == ("crash", "RuntimeCrash")


def test_v8_refuses_with_the_authors_line_and_a_caret(recordings: dict[str, Recording]) -> None:
    recording = recordings["syntax"]
    (error,) = recording.bodies(Kind.RUN_ERROR)
    assert error["error_type"] == "CompileError"
    assert error["error_message"] == "My job: Unexpected token '=' (4:9)"
    assert error["position"] == {"line": 4, "column": 9, "src": "  const = 5;"}
    said = [line["message"][0] for line in recording.logs("RTE")]
    assert said[-5:-2] == ["3: fn(state => {", "4:   const = 5;", "           ^   "]
    assert said[-1].startswith("HF1001  ")
    assert not recording.bodies(Kind.STEP_START)


def test_embedded_data_arrives(recordings: dict[str, Recording]) -> None:
    state = json.loads(closed(recordings["data kept"])["output"]["inline"])
    assert state == {"data": 30_000, "last": {"id": 29_999, "name": "row 29999"}}


def test_no_position_is_ever_in_generated_code(recordings: dict[str, Recording]) -> None:
    for name, recording in recordings.items():
        for body in recording.bodies(Kind.STEP_COMPLETE):
            if "position" in body and name != "beside data":
                line = JOBS[name].splitlines()[body["position"]["line"] - 1]
                assert body["position"]["src"][:100] == line[:100]
