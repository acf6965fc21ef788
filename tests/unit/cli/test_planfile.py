"""What `holdfast run` accepts, and what it says about what it does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.cli.planfile import (
    PlanFileError,
    add_collections,
    check_step,
    pin_adaptors,
    plan_adaptors,
    read_plan,
)
from holdfast.model.adaptor_name import COLLECTIONS, full_name
from holdfast.model.errors import UsageError


def write(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_steps_that_use_collections_get_their_adaptor() -> None:
    steps: list[Any] = [
        {"expression": "collections.get('a', 'b');", "adaptors": ["@openfn/language-http@7.2.10"]},
        {"expression": "collections.get('a', 'b');", "adaptors": [f"{COLLECTIONS}@0.8.0"]},
        {"expression": "fn(s => s);", "adaptors": []},
        {"expression": "// see collections.js\nfn(s => db.collections.x);", "adaptors": []},
        {"expression": "const collections = {};\nfn(s => collections.x);", "adaptors": []},
        {},
    ]
    plan: Any = {"workflow": {"steps": steps}}
    add_collections(plan)
    assert [step.get("adaptors") for step in steps] == [
        ["@openfn/language-http@7.2.10", COLLECTIONS], [f"{COLLECTIONS}@0.8.0"], [], [], [], None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("common", "@openfn/language-common"),
        ("http@7.2.10", "@openfn/language-http@7.2.10"),
        ("@openfn/language-http@latest", "@openfn/language-http@latest"),
        ("@other/package", "@other/package"),
    ],
)
def test_short_adaptor_names(given: str, meant: str) -> None:
    assert full_name(given) == meant


def test_a_job_becomes_a_plan_of_one_step(tmp_path: Path) -> None:
    plan = read_plan(write(tmp_path, "greet.js", "fn(s => s)"), ("common",))
    assert plan == {
        "workflow": {
            "name": "greet",
            "steps": [
                {
                    "id": "job-1",
                    "name": "greet",
                    "expression": "fn(s => s)",
                    "adaptors": ["@openfn/language-common"],
                }
            ],
        },
        "options": {},
    }


@pytest.mark.parametrize("wrapped", [True, False])
def test_both_workflow_forms(tmp_path: Path, wrapped: bool) -> None:
    workflow = {"steps": [{"id": "a", "expression": "fn(s => s)", "adaptor": "common"}]}
    options = {"start": "a"}
    document = {"workflow": workflow, "options": options} if wrapped else workflow
    plan = read_plan(write(tmp_path, "flow.json", document), ())
    assert plan["options"] == (options if wrapped else {})
    assert plan_adaptors(plan) == ["@openfn/language-common"]


def test_expressions_configuration_and_yaml_may_be_files(tmp_path: Path) -> None:
    write(tmp_path, "a.js", "fn(s => 1)")
    write(tmp_path, "secret.json", {"user": "u"})
    text = "steps:\n  - id: a\n    expression: ./a.js\n    configuration: ./secret.json\n"
    plan: Any = read_plan(write(tmp_path, "flow.yaml", text), ())
    step = plan["workflow"]["steps"][0]
    assert step["expression"] == "fn(s => 1)"
    assert step["configuration"] == {"user": "u"}


def test_source_that_looks_like_a_file_name_is_still_source(tmp_path: Path) -> None:
    document = {"steps": [{"id": "a", "expression": "fn(x => x) // see notes.js"}]}
    plan: Any = read_plan(write(tmp_path, "flow.json", document), ())
    assert plan["workflow"]["steps"][0]["expression"] == "fn(x => x) // see notes.js"


def test_pinning_replaces_every_use(tmp_path: Path) -> None:
    steps = [{"id": "a", "adaptor": "common"}, {"id": "b", "adaptor": "common"}]
    plan = read_plan(write(tmp_path, "flow.json", {"steps": steps}), ())
    pin_adaptors(plan, {"@openfn/language-common": "@openfn/language-common@3.3.4"})
    assert plan_adaptors(plan) == ["@openfn/language-common@3.3.4"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("flow.json", '{"steps": [\n  {"id": ]}', "flow.json:2:10: not JSON"),
        ("flow.yaml", "steps:\n  - id: 'a\n", "flow.yaml:3:1: not YAML"),
        ("flow.json", [], "a workflow is an object"),
        ("flow.json", {"jobs": []}, "no list of steps"),
        ("flow.json", {"steps": ["a"]}, "steps[0]: an object is expected"),
        ("flow.json", {"steps": [{"id": "a", "next": {"b": 5}}]}, "steps[0].next.b: true, false"),
        ("flow.json", {"steps": [{"adaptors": "common"}]}, "steps[0].adaptors: a list"),
        ("flow.json", {"steps": [{"expression": "./none.js"}]}, "none.js: No such file"),
        ("job.txt", "x", "a job ends in .js"),
    ],
)
def test_bad_files_are_explained(tmp_path: Path, name: str, content: object, says: str) -> None:
    with pytest.raises(PlanFileError) as caught:
        read_plan(write(tmp_path, name, content), ())
    assert says in str(caught.value)


def test_adaptors_belong_to_jobs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="goes with a job file"):
        read_plan(write(tmp_path, "flow.json", {"steps": []}), ("common",))


def test_a_missing_or_binary_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanFileError, match=r"none\.js: No such file"):
        read_plan(tmp_path / "none.js", ())
    (tmp_path / "job.js").write_bytes(b"\xff\xfe")
    with pytest.raises(PlanFileError, match=r"not UTF-8 text \(byte 0\)"):
        read_plan(tmp_path / "job.js", ())


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("w.json", '{"steps": []}', "the list of steps is empty"),
        ("w.json", '{"steps": [{"id": "a"}, {"id": "a"}]}', "steps[1].id: 'a' is there twice"),
        ("w.json", '{"steps": [{"id": 1}]}', "steps[0].id: text is expected"),
        ("w.json", '{"steps": [{"expression": ["x"]}]}', "steps[0].expression: text"),
        ("w.json", '{"steps": [{"id": "a", "next": 7}]}', "steps[0].next: text or an object"),
        ("w.json", '{"steps": [{"state": {"a": NaN}}]}', "NaN is not JSON"),
        ("w.json", "[" * 100_000, "nested too deeply"),
        ("w.yaml", "[" * 100_000, "nested too deeply"),
        ("w.yaml", "steps:\n  - {state: {a: .nan}}\n", "NaN is not JSON"),
        ("w.yaml", "steps:\n - &x {id: a, state: {b: *x}}\n", "an alias stands within itself"),
        ("w.yaml", "a: \x01\n", "special characters"),
        ("w.yaml", "a: !!python/object:os.system x\n", "w.yaml:1:4: not YAML"),
    ],
)
def test_what_cannot_be_a_workflow_is_named(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    with pytest.raises(PlanFileError) as refused:
        read_plan(write(tmp_path, name, content), ())
    assert words in refused.value.message


def test_a_date_in_yaml_stays_text_and_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    path.write_text("steps:\n  - {id: a, state: {day: 2020-01-31}}\n", encoding="utf-8-sig")
    steps = read_plan(path, ())["workflow"]["steps"]  # type: ignore[index, call-overload]
    assert steps[0]["state"] == {"day": "2020-01-31"}  # type: ignore[index, call-overload]


def test_a_step_that_is_not_there_is_no_start(tmp_path: Path) -> None:
    plan = read_plan(write(tmp_path, "w.json", {"steps": [{"id": "a"}, {}]}), ())
    check_step(plan, "--start", "a")
    with pytest.raises(UsageError) as refused:
        check_step(plan, "--end", "z")
    assert "The steps are: a, job-2" in (refused.value.fix or "")
