"""A member of a document that is of a wrong kind is refused, never taken as absent."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from holdfast.platform.project.kinds import kind_problems
from holdfast.platform.project.provision import ProvisionError, from_payload
from support.platform import PROJECT

WRONG = {
    "text": [5, True, 1.5, [], {}, [5]],
    "flag": [5, 0, "true", "false", "", [], {}],
    "object": [5, "x", True, []],
    "items": [5, "x", True, [5], ["x"], [None], {"a": 5}],
}
MEMBERS: dict[str, dict[str, str]] = {
    "project": {
        "name": "text", "description": "text", "retention_policy": "text", "env": "text",
        "color": "text", "parent_id": "text", "scheduled_deletion": "text", "record": "flag",
        "requires_mfa": "flag", "allow_support_access": "flag", "workflows": "items",
        "collections": "items", "project_credentials": "items", "channels": "items",
        "webhook_keys": "items",
    },
    "workflow": {
        "name": "text", "egress": "text", "enable_job_logs": "flag", "positions": "object",
        "jobs": "items", "triggers": "items", "edges": "items", "delete": "flag",
    },
    "jobs": {
        "name": "text", "body": "text", "adaptor": "text", "project_credential_id": "text",
        "keychain_credential_id": "text", "delete": "flag",
    },
    "triggers": {
        "type": "text", "enabled": "flag", "custom_path": "text", "cron_expression": "text",
        "cron_cursor_job_id": "text", "webhook_reply": "text", "delete": "flag",
        "webhook_response_config": "object",
    },
    "edges": {
        "source_job_id": "text", "source_trigger_id": "text", "target_job_id": "text",
        "condition_type": "text", "condition_expression": "text", "condition_label": "text",
        "enabled": "flag", "delete": "flag",
    },
}  # fmt: skip


def place(document: dict[str, Any], level: str) -> dict[str, Any]:
    """The first part of a level."""
    workflow = document["workflows"][0]
    found: dict[str, Any] = {"project": document, "workflow": workflow}.get(level) or {}
    return found or workflow[level][0]


@pytest.mark.parametrize("level", MEMBERS)
def test_a_wrong_kind_is_refused_with_its_place(level: str) -> None:
    for name, kind in MEMBERS[level].items():
        for value in WRONG[kind]:
            document = deepcopy(PROJECT)
            place(document, level)[name] = value
            problems = list(kind_problems(document))
            assert len(problems) == 1, (level, name, value)
            assert name in problems[0]
            assert level == "project" or problems[0].startswith("workflow ")
        document = deepcopy(PROJECT)
        place(document, level)[name] = None
        assert list(kind_problems(document)) == [], "null is the default of every member"


@pytest.mark.parametrize("level", MEMBERS)
def test_an_unknown_member_is_refused_unless_it_says_nothing(level: str) -> None:
    document = deepcopy(PROJECT)
    place(document, level)["adaptr"] = None
    assert list(kind_problems(document)) == []
    place(document, level)["adaptr"] = "http"
    (problem,) = kind_problems(document)
    assert "extraneous parameters: adaptr" in problem


def test_what_is_to_be_deleted_may_have_any_other_members() -> None:
    document = deepcopy(PROJECT)
    document["workflows"] = [{"id": "x", "delete": True, "name": 5, "steps": []}]
    assert list(kind_problems(document)) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda w: w["jobs"].append({**w["jobs"][0], "name": "Other"}), "two parts have the id"),
        (lambda w: w["edges"].append({**w["edges"][0], "id": w["jobs"][0]["id"]}), "two parts"),
        (lambda w: w["triggers"].append({**w["triggers"][0], "enabled": False}), "two parts"),
        (lambda w: w.update(name="n" * 300), "more than 255 characters"),
    ],
)
def test_parts_that_would_overwrite_each_other(change: Any, problem: str) -> None:
    document = deepcopy(PROJECT)
    change(document["workflows"][0])
    with pytest.raises(ProvisionError, match=problem):
        from_payload(document)


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"env": "Prod 1"}, "env 'Prod 1' must be"),
        ({"env": ""}, "env '' must be"),
        ({"retention_policy": ""}, "retention_policy must be one of"),
        ({"collections": [{"name": "c"}, {"name": "c"}]}, "two collections are called 'c'"),
        ({"project_credentials": [{"name": "c"}, {"name": "c"}]}, "two credentials are called"),
        ({"project_credentials": [{"owner": "jo"}]}, "a credential's name is missing"),
        ({"collections": [{"name": ""}]}, "a collection's name is missing"),
        (
            {"webhook_keys": [{"name": "k", "type": "hmac"}, {"name": "k", "type": "basic"}]},
            "two webhook keys are called 'k'",
        ),
    ],
)
def test_members_of_a_project_that_contradict_each_other(
    members: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ProvisionError, match=problem):
        from_payload({**PROJECT, **members})
