"""A workflow that is edited in a form: nothing is lost on the way, and buttons change it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import build_editor

from holdfast.platform.web.draft import (
    Draft,
    changed,
    fresh,
    from_document,
    from_form,
    to_document,
    way_back,
)

DOCUMENT: dict[str, Any] = {
    "id": "w", "name": "Flow", "lock_version": 3,
    "jobs": [
        {"id": "a", "name": "A", "adaptor": "x@1", "body": "one\ntwo\n",
         "project_credential_id": "c", "keychain_credential_id": None},
        {"id": "b", "name": "B", "adaptor": "x@1", "body": "",
         "project_credential_id": None, "keychain_credential_id": "k"},
    ],
    "triggers": [{"id": "t", "type": "cron", "cron_expression": "1 * * * *",
                  "cron_timezone": "Africa/Nairobi", "enabled": True}],
    "edges": [
        {"id": "e", "source_trigger_id": "t", "source_job_id": None, "target_job_id": "a",
         "condition_type": "always", "condition_expression": None, "condition_label": None,
         "enabled": True},
        {"id": "f", "source_trigger_id": None, "source_job_id": "a", "target_job_id": "b",
         "condition_type": "js_expression", "condition_expression": "state.n > 0",
         "condition_label": "some", "enabled": False},
    ],
    "positions": {"a": {"x": 10, "y": 200}},
}  # fmt: skip


def fields(draft: Draft) -> list[tuple[str, str]]:
    """What a browser sends of the page's form."""
    places = {key: {"x": x, "y": y} for key, (x, y) in draft.places.items()}
    sent = [("name", draft.name), ("base", str(draft.base)), ("positions", json.dumps(places))]
    for step in draft.steps:
        for member in ("name", "adaptor", "credential", "body"):
            value = getattr(step, member)
            sent.append((f"job:{step.id}:{member}", value.replace("\n", "\r\n")))
    for path in draft.paths:
        members = ("source", "target", "condition", "expression", "label")
        sent += [(f"edge:{path.id}:{member}", getattr(path, member)) for member in members]
        sent += [(f"edge:{path.id}:on", "yes")] if path.on else []
    for begin in draft.begins:
        given = {"type": begin.type, "cron": begin.cron, "zone": begin.zone}
        sent += [(f"trigger:{begin.id}:{member}", value) for member, value in given.items()]
        sent += [(f"trigger:{begin.id}:on", "yes")] if begin.enabled else []
    return sent


def test_a_workflow_comes_through_the_form_as_it_was() -> None:
    draft = from_document(DOCUMENT)
    assert from_form(fields(draft)) == draft
    assert to_document(draft, "w") == DOCUMENT


def test_a_step_is_added_after_another_and_removed_with_its_paths() -> None:
    draft = from_document(DOCUMENT)
    more, key = changed(draft, "after:a")
    assert [step.id for step in more.steps] == ["a", key, "b"]
    assert [(p.source, p.condition) for p in more.paths if p.target == key] == [
        ("a", "on_job_success")
    ]
    assert changed(more, f"remove:{key}")[0] == draft
    first, key = changed(draft, "after:t")
    assert [p.condition for p in first.paths if p.target == key] == ["always"]
    none, _ = changed(draft, "remove:a")
    assert none.paths == []


def test_two_parts_are_connected_once_and_never_in_a_circle() -> None:
    draft = from_document(DOCUMENT)
    more, opened = changed(draft, "connect:t:b")
    assert opened is None
    assert [(p.source, p.target, p.condition) for p in more.paths[2:]] == [("t", "b", "always")]
    for ends in ("t:a", "b:a", "a:a", "b:t", "a:nobody", "nobody:a", "a"):
        assert changed(draft, f"connect:{ends}") == (draft, None), ends


def test_arranged_again_is_without_places() -> None:
    draft = from_document(DOCUMENT)
    assert changed(draft, "arrange") == (replace(draft, places={}), None)
    assert to_document(changed(draft, "arrange")[0], "w")["positions"] is None


def test_small_changes_are_taken_back_without_the_whole_form() -> None:
    draft = from_document(DOCUMENT)
    for act in ("connect:t:b", "arrange"):
        after, _ = changed(draft, act)
        back = way_back(draft, after, act)
        assert after != draft
        assert changed(after, back) == (draft, None), back
    assert way_back(draft, changed(draft, "remove:a")[0], "remove:a") == ""


def test_what_no_button_says_changes_nothing() -> None:
    draft = from_document(DOCUMENT)
    for act in ("look", "after:nobody", "remove:nobody", "nonsense", ""):
        assert changed(draft, act) == (draft, None)
    assert from_form([("job::name", "x"), ("other:a:b", "y"), ("base", "-1")]) == Draft()


def test_a_new_start_leads_to_the_first_step() -> None:
    more, key = changed(from_document(DOCUMENT), "add-trigger")
    assert [p.target for p in more.paths if p.source == key] == ["a"]
    assert not more.begins[-1].enabled


def test_a_fresh_workflow_has_one_step_and_starts_nothing() -> None:
    _, draft = fresh("New")
    assert [begin.enabled for begin in draft.begins] == [False]
    assert [(p.source, p.target) for p in draft.paths] == [(draft.begins[0].id, draft.steps[0].id)]


def test_the_editor_for_code_is_built_from_what_the_project_says() -> None:
    """Else run `scripts/build_editor.py`."""
    with build_editor.TARGET.open(encoding="utf-8") as file:
        assert file.readline().strip() == build_editor.head()
