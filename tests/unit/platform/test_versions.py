"""Version hashes are those of `@openfn/project`; names sort as in Node.js."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from holdfast.platform.project.collation import collation_key
from holdfast.platform.project.versions import same_version, version_of, version_text

#: A workflow of Lightning with its own hash, as the kit tests it (spec 7.2).
TURTLE: dict[str, Any] = {
    "name": "Turtle Power",
    "edges": [
        {"enabled": True, "id": "ed3ebfbf-6fa3-4438-b21d-06f7eec216c1", "condition_type": "always",
         "source_trigger_id": "bf10f31a-cf51-45a2-95a4-756d0a25af53",
         "target_job_id": "4d18c46b-3bb4-4af1-81e2-07f9aee527fc"},
        {"enabled": True, "id": "253bf2d7-1a01-44c8-8e2e-ccf50de92dff",
         "condition_type": "js_expression", "condition_label": "always tbh",
         "condition_expression": "state.data",
         "source_job_id": "4d18c46b-3bb4-4af1-81e2-07f9aee527fc",
         "target_job_id": "40b839bd-5ade-414e-8dde-ed3ae77239ea"},
    ],
    "jobs": [
        {"id": "4d18c46b-3bb4-4af1-81e2-07f9aee527fc", "name": "Transform data", "body": "fri",
         "adaptor": "@openfn/language-http@7.2.6",
         "project_credential_id": "dd409089-5569-4157-8cf6-528ace283348"},
        {"id": "40b839bd-5ade-414e-8dde-ed3ae77239ea", "name": "do something",
         "body": "// Check out the Job Writing Guide for help getting started:\n"
                 "// https://docs.openfn.org/documentation/jobs/job-writing-guide\n",
         "adaptor": "@openfn/language-http@7.2.6", "project_credential_id": None},
    ],
    "triggers": [{"enabled": False, "id": "bf10f31a-cf51-45a2-95a4-756d0a25af53",
                  "type": "webhook"}],
}  # fmt: skip


def test_the_hash_of_a_real_workflow_is_lightnings() -> None:
    assert version_of(TURTLE, [], "app") == "app:211291f6e6d5"


def test_a_credential_counts_by_owner_and_name() -> None:
    credential = {"id": TURTLE["jobs"][0]["project_credential_id"], "name": "HAPI", "owner": "jo"}
    assert "Transform datajo|HAPI" in version_text(TURTLE, [credential])
    filed = {**credential, "name": "HAPI.json"}
    assert "Transform datastate" in version_text(TURTLE, [filed])


@pytest.mark.parametrize(
    ("kind", "member", "value"),
    [
        ("jobs", "body", "fn()"),
        ("jobs", "adaptor", "@openfn/language-http@7.2.7"),
        ("jobs", "keychain_credential_id", "x"),
        ("triggers", "enabled", True),
        ("triggers", "webhook_reply", "after_completion"),
        ("triggers", "custom_path", "here"),
        ("triggers", "webhook_response_config", {"success_code": 200, "error_code": None}),
        ("edges", "condition_label", "x"),
        ("edges", "enabled", False),
        ("edges", "condition_type", "on_job_failure"),
    ],
)
def test_each_member_of_a_part_counts(kind: str, member: str, value: object) -> None:
    changed = copy.deepcopy(TURTLE)
    changed[kind][0][member] = value
    assert not same_version(version_of(changed, [], "cli"), version_of(TURTLE, [], "app"))


def test_what_a_workflow_does_not_do_does_not_count() -> None:
    other = copy.deepcopy(TURTLE) | {"lock_version": 9, "concurrency": 2, "positions": {"a": 1}}
    for part in (*other["jobs"], *other["triggers"], *other["edges"]):
        part["unknown"] = 1
    other["jobs"].reverse()
    other["edges"].reverse()
    assert same_version(version_of(other, [], "cli"), version_of(TURTLE, [], "app"))


def test_names_sort_as_in_node() -> None:
    # by `[…].sort((a, b) => a.localeCompare(b))` in Node.js 20
    ordered = ["", " b", "_a", "-a", "0", "10", "9", "a", "A", "á", "a b", "a-b", "aB", "AB", "æ",
               "b", "B", "ß", "straße", "strasse2", "z", "Z", "þ", "\u03b1", "\u0435", "ё",
               "ж", "и", "й", "漢"]  # fmt: skip
    assert sorted(sorted(ordered), key=collation_key) == ordered
