"""Project files of both forms, and every mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.model.json import JsonObject
from holdfast.platform.project.deployment import to_payload
from holdfast.platform.project.provision import ProvisionError, from_payload
from holdfast.platform.project.read import parse_project, read_project
from holdfast.platform.project.source import ProjectFileError

V1 = """\
name: demo
description: example
credentials:
  jo@example.org-HAPI: {name: HAPI, owner: jo@example.org}
collections:
  codes: {name: codes}
workflows:
  Referrals:
    name: Referrals
    jobs:
      Fetch:
        name: Fetch
        adaptor: '@openfn/language-http@latest'
        credential: jo@example.org-HAPI
        body: |
          get('/patients')
      Store:
        name: Store
        adaptor: '@openfn/language-common@latest'
        credential: null
        body: fn(s => s)
    triggers:
      cron:
        type: cron
        cron_expression: '*/15 * * * *'
        cron_cursor_job: Store
        enabled: true
    edges:
      cron->Fetch:
        source_trigger: cron
        target_job: Fetch
        condition_type: always
        enabled: true
      Fetch->Store:
        source_job: Fetch
        target_job: Store
        condition_type: js_expression
        condition_expression: state.data.length > 0
        condition_label: has rows
        enabled: true
"""
V2 = """\
id: demo
name: Demo
description: example
schema_version: '4.0'
credentials:
  - name: HAPI
    owner: jo@example.org
collections: [codes]
workflows:
  - id: referrals
    name: Referrals
    start: cron
    steps:
      - id: cron
        type: cron
        enabled: true
        cron_expression: '*/15 * * * *'
        cron_cursor: store
        next:
          fetch: {condition: always}
      - id: fetch
        name: Fetch
        adaptor: '@openfn/language-http@latest'
        configuration: jo@example.org|HAPI
        expression: |
          get('/patients')
        next:
          store:
            condition: state.data.length > 0
            label: has rows
      - id: store
        name: Store
        adaptor: '@openfn/language-common@latest'
        expression: fn(s => s)
"""


def problems(text: str, folder: Path = Path()) -> list[str]:
    with pytest.raises(ProjectFileError) as raised:
        parse_project(text, folder / "project.yaml")
    return raised.value.message.splitlines()


def test_both_forms_mean_the_same() -> None:
    """Deployed, they differ in the trigger's and jobs' names for edges only."""
    first = to_payload(parse_project(V1, Path("a.yaml")), None)
    second = to_payload(parse_project(V2, Path("b.yaml")), None)

    def shape(payload: JsonObject) -> object:
        project = from_payload(payload).project
        (workflow,) = project.workflows
        names = {job.key: job.name for job in workflow.jobs}
        return (
            project.name,
            project.collections,
            [(c.owner, c.name) for c in project.credentials],
            [(j.name, j.adaptor, j.body.strip(), bool(j.credential)) for j in workflow.jobs],
            [
                (t.type, t.cron_expression, names[t.cron_cursor_job or ""], t.enabled)
                for t in workflow.triggers
            ],
            [
                (names.get(e.source_job or ""), names[e.target_job], e.condition_type,
                 e.condition_expression, e.condition_label, e.enabled)
                for e in workflow.edges
            ],
        )  # fmt: skip

    assert shape(first) == shape(second)


def test_v2_knows_short_targets_and_disabled_edges() -> None:
    start = V2.index("        next:\n          store:")
    end = V2.index("      - id: store")
    text = V2[:start] + "        next: store\n" + V2[end:]
    text = text.replace("{condition: always}", "{condition: always, disabled: true}")
    (workflow,) = parse_project(text, Path("p.yaml")).workflows
    assert [(e.source_trigger or e.source_job, e.target_job, e.condition_type, e.enabled)
            for e in workflow.edges] == [
        ("cron", "fetch", "always", False), ("fetch", "store", "always", True),
    ]  # fmt: skip


def test_code_may_be_in_a_file_beside(tmp_path: Path) -> None:
    (tmp_path / "fetch.js").write_text("get('/x')")
    file = tmp_path / "project.yaml"
    file.write_text(V1.replace("body: fn(s => s)", "body: {path: ./fetch.js}"))
    (workflow,) = read_project(file).workflows
    assert workflow.jobs[1].body == "get('/x')"


def test_a_missing_file_of_code_is_told_with_its_line(tmp_path: Path) -> None:
    text = V1.replace("body: fn(s => s)", "body: {path: ./no.js}")
    (found,) = problems(text, tmp_path)
    assert found.startswith(f"{tmp_path}/project.yaml:21: workflow Referrals, job Store: body: ")
    assert found.endswith("cannot read ./no.js: No such file or directory")


#: Python reads no such number.
LONG = "1" * 5000


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("name: demo", "name: demo: x", 1, "broken YAML"),
        ("description: example", "description: [a", 3, "broken YAML"),
        ("name: demo", "name: Demo Project", 1, "lower-case letters"),
        ("description: example", "descripton: example", 2, "did you mean 'description'?"),
        ("description: example", "name: again", 2, "is here twice"),
        ("        credential: jo@example.org-HAPI", "        credential: nobody", 14, "nobody"),
        ("        enabled: true\n    edges", "        enabled: 7\n    edges", 27, "true or false"),
        ("'*/15 * * * *'", "'61 * * * *'", 25, "not a cron expression: bad minute"),
        ("cron_cursor_job: Store", "cron_cursor_job: Nope", 24, "no job 'Nope'"),
        ("target_job: Fetch", "target_job: Fech", 30, "no job 'Fech' (there is Fetch, Store)"),
        ("        target_job: Fetch\n", "", 30, "target_job is missing"),
        ("condition_type: always", "condition_type: sometimes", 32, "must be one of always"),
        ("condition_type: always", "condition_type: on_job_success", 30, "after a trigger"),
        ("condition_expression: state.data.length > 0", "condition_label: x", 39, "twice"),
        ("'@openfn/language-http@latest'", "'../../etc'", 13, "is not an adaptor"),
        ("        name: Store", "        name: Fetch", 9, "two jobs are called 'Fetch'"),
        ("source_trigger: cron", "source_job: Store", 30, "go round in a circle"),
        ("    jobs:", "    jobs: nothing\n    x:", 10, "must be a map"),
        ("name: demo", f"name: demo\nconcurrency: {LONG}", 2, "more than 18 digits"),
        ("    jobs:", f"    retry: {{a: {LONG}}}\n    jobs:", 10, "1 is too long, or no int"),
        ("    jobs:", f"    positions: [0x{LONG}]\n    jobs:", 10, "more than 18 digits"),
        ("    jobs:", "    retry: !!bool x\n    jobs:", 10, "x is too long, or no bool"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_its_line(old: str, new: str, line: int, words: str) -> None:
    assert old in V1
    found = problems(V1.replace(old, new, 1))
    assert any(words in text and text.startswith("project.yaml:") for text in found), found
    numbers = [int(text.split(":")[1]) for text in found if words in text]
    assert min(abs(number - line) for number in numbers) <= 1, found


def test_several_mistakes_are_told_at_once_and_in_order() -> None:
    text = V1.replace("name: demo", "name: NO").replace("'*/15 * * * *'", "x")
    found = problems(text)
    assert len(found) == 2
    assert found[0].startswith("project.yaml:1:")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        "null",
        "- a\n- b",
        "just text",
        "!!python/object:os.system {}",
        "a: \x01",
        "[" * 5000,
    ],
)
def test_what_is_no_project_is_explained(text: str) -> None:
    assert problems(text)[0].startswith("project.yaml:1")


def test_a_file_that_cannot_be_read_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ProjectFileError, match="No such file"):
        read_project(tmp_path / "no.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(ProjectFileError, match="UTF-8"):
        read_project(tmp_path / "latin.yaml")


def test_names_keep_their_ids_and_what_is_gone_is_deleted() -> None:
    project = parse_project(V1, Path("p.yaml"))
    current = to_payload(project, None)
    again = to_payload(project, current)
    assert again == current
    project.workflows[0].jobs.pop()
    project.workflows[0].edges.pop()
    project.workflows[0].triggers[0].cron_cursor_job = None
    less = from_payload(to_payload(project, current))
    (workflow,) = less.project.workflows
    assert [job.name for job in workflow.jobs] == ["Fetch"]
    assert len(less.deleted) == 2
    project.workflows.clear()
    assert from_payload(to_payload(project, current)).deleted == {workflow.id}


def test_a_new_webhook_has_an_address_that_names_do_not_tell() -> None:
    project = parse_project(V1, Path("p.yaml"))
    first, second = (from_payload(to_payload(project, None)).project for _ in range(2))
    assert first.workflows[0].triggers[0].id != second.workflows[0].triggers[0].id
    assert first.workflows[0].id == second.workflows[0].id


def payload() -> dict[str, object]:
    value = to_payload(parse_project(V1, Path("p.yaml")), None)
    return dict(value)


def test_a_document_may_use_maps_instead_of_lists() -> None:
    value = payload()
    assert isinstance(value["workflows"], list)
    (workflow,) = value["workflows"]
    for part in ("jobs", "triggers", "edges"):
        workflow[part] = {item["id"]: item for item in workflow[part]}
    value["workflows"] = {"Referrals": workflow}
    assert len(from_payload(value).project.workflows[0].jobs) == 2  # type: ignore[arg-type] # built here


def test_a_workflow_says_what_it_may_reach() -> None:
    text = V1.replace("    name: Referrals\n", "    name: Referrals\n    egress: EGRESS\n")
    assert text != V1
    project = parse_project(text.replace("EGRESS", "fhir.example.org:443, 10.1.0.0/16"), Path("p"))
    again = from_payload(to_payload(project, None)).project
    assert again.workflows[0].egress == "fhir.example.org:443, 10.1.0.0/16"
    with pytest.raises(ProjectFileError, match=r"p:\d+: workflow .*egress.* not understood"):
        parse_project(text.replace("EGRESS", "none, open"), Path("p"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "name is missing"),
        ({"surprise": 1}, "extraneous parameters: surprise"),
        ({"id": "not-a-uuid"}, "is not a UUID"),
        ({"concurrency": 0}, "whole number from 1"),
        ({"workflows": [{"name": "a", "egress": ["db"]}]}, "egress must be text"),
        ({"workflows": [{"name": "a", "egress": "a b"}]}, "'a b' is no host"),
        ({"retention_policy": "forget"}, "retention_policy"),
        ({"workflows": [{"delete": True, "jobs": []}]}, "without its id"),
        ({"history_retention_period": 8}, "one of 7, 14"),
        ({"dataclip_retention_period": 30}, "may not exceed"),
    ],
)
def test_a_bad_document_is_refused_with_words(change: JsonObject, words: str) -> None:
    with pytest.raises(ProvisionError, match=words):
        from_payload({**payload(), **change})  # type: ignore[dict-item] # built here


@pytest.mark.parametrize("value", [None, [], "x", 3])
def test_what_is_no_document_is_refused(value: object) -> None:
    with pytest.raises(ProvisionError):
        from_payload(value)  # type: ignore[arg-type] # anything may come
