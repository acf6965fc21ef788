# ruff: noqa: E501 - a plan reads best with a line per node
"""Plan conversion: `docs/spec/worker-protocol.md` sections 4.2 and 5."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.model.json import JsonObject
from holdfast.model.limits import Limits
from holdfast.worker.run.plan import BadPlan, convert, credentials_of, limits_of, pin

HTTP, COMMON = "@openfn/language-http@7.2.0", "@openfn/language-common@latest"


def plan(**changes: Any) -> JsonObject:
    return {
        "id": "r1",
        "name": "Referrals",
        "project_id": "p1",
        "triggers": [{"id": "t"}],
        "jobs": [
            {"id": "a", "name": "A", "adaptor": HTTP, "credential_id": "c1", "body": "get('/')"},
            {"id": "b", "name": "B", "adaptor": COMMON, "credential_id": None, "body": "fn(s => s)"},
            {"id": "c", "body": "collections.each('x')", "credential": {"k": 1}, "state": {"d": 1}},
        ],
        "edges": [
            {"source_trigger_id": "t", "target_job_id": "a", "condition": "always", "enabled": True},
            {"source_trigger_id": "t", "target_job_id": "b", "enabled": False},
            {"source_trigger_id": "t", "target_job_id": "c", "condition": "state.x", "enabled": True},
            {"source_job_id": "a", "target_job_id": "b", "condition": "on_job_success"},
            {"source_job_id": "a", "target_job_id": "c", "condition": "always", "enabled": False},
            {"source_job_id": "b", "target_job_id": "c"},
        ],
        "starting_node_id": "t",
        "dataclip_id": "d1",
        "options": {"run_timeout_ms": 1500, "run_memory_limit_mb": 128, "output_dataclips": False},
        **changes,
    }  # fmt: skip


def steps(prepared: Any) -> dict[str, Any]:
    return {step["id"]: step for step in prepared.plan["workflow"]["steps"]}


def test_a_whole_plan() -> None:
    prepared = convert(plan(), collections_version=None)
    made = steps(prepared)
    assert list(made) == ["t", "a", "b", "c"]
    assert made["t"] == {"id": "t", "next": {"a": True, "c": {"condition": "state.x"}}}
    assert made["a"]["next"] == {
        "b": {"condition": "on_job_success"},
        "c": {"condition": "always", "disabled": True},
    }
    assert made["b"]["next"] == {"c": True}
    assert made["c"]["state"] == {"d": 1}
    assert "configuration" not in made["c"], "secrets are not part of the plan on disk"
    assert prepared.plan["options"] == {"start": "t"}
    assert prepared.adaptors == (HTTP, COMMON)
    assert prepared.credential_ids == {"a": "c1"}
    assert prepared.inline == {"c": {"k": 1}}
    assert (prepared.dataclip_id, prepared.project_id) == ("d1", "p1")
    assert not prepared.collections


def test_collections_come_by_themselves_where_they_are_used() -> None:
    prepared = convert(plan(), collections_version="0.8.0")
    assert prepared.collections
    assert steps(prepared)["c"]["adaptors"] == ["@openfn/language-collections@0.8.0"]
    made = credentials_of(prepared, {"c1": {"u": 1}}, {"collections_token": "t", "u": 0})
    assert made == {
        "a": {"collections_token": "t", "u": 1},
        "b": {"collections_token": "t", "u": 0},
        "c": {"collections_token": "t", "u": 0, "k": 1},
    }


def test_a_missing_credential_is_no_configuration() -> None:
    prepared = convert(plan(), collections_version=None)
    assert credentials_of(prepared, {"c1": None}, {}) == {"c": {"k": 1}}


def test_options_become_limits() -> None:
    limits = limits_of({"run_timeout_ms": 1500, "run_memory_limit_mb": 128}, Limits())
    assert (limits.timeout_seconds, limits.memory_mb, limits.payload_mb) == (1.5, 128, 10)
    assert limits_of({"run_memory_limit_mb": 0.5}, Limits()).memory_mb == 1
    assert limits_of({"run_timeout_ms": None, "run_memory_limit_mb": True}, Limits()) == Limits()


def test_versions_are_pinned_in_the_plan() -> None:
    prepared = convert(plan(), collections_version=None)
    pin(prepared.plan, {COMMON: "@openfn/language-common@3.3.4"})
    assert steps(prepared)["b"]["adaptors"] == ["@openfn/language-common@3.3.4"]
    assert steps(prepared)["a"]["adaptors"] == [HTTP]


def test_w5_plans_with_next_to_nothing_are_plans() -> None:
    empty: JsonObject = {"jobs": [{"id": "a"}], "triggers": None}
    prepared = convert(empty, collections_version=None)
    assert steps(prepared)["a"]["expression"] == ""
    assert prepared.dataclip_id is None
    no_id: JsonObject = {"jobs": [{"body": "x"}]}
    (step,) = steps(convert(no_id, collections_version=None)).values()
    assert len(step["id"]) == 36


@pytest.mark.parametrize("broken", [None, [], "plan", b"plan", {"jobs": "x"}, {"edges": [1]}])
def test_what_is_no_plan_is_refused(broken: Any) -> None:
    with pytest.raises(BadPlan):
        convert(broken, collections_version=None)


def test_a_limit_beyond_all_bounds_is_none() -> None:
    for size in (1e999, 10**400, -1, True, "7"):
        assert (
            limits_of({"run_memory_limit_mb": size, "run_timeout_ms": size}, Limits()) == Limits()
        )


@pytest.mark.parametrize(
    ("sent", "project"),
    [
        ({"project_id": "p"}, "p"),
        ({"meta": {"project_id": "m"}}, "m"),
        ({"project_id": "p", "meta": {"project_id": "m"}}, "p"),
        ({"project_id": 3, "meta": "m"}, None),
        ({}, None),
    ],
)
def test_the_project_of_a_run_is_known_where_the_plan_says_it(
    sent: JsonObject, project: str | None
) -> None:
    assert convert(sent, collections_version=None).project_id == project


def test_a_plan_says_where_its_run_belongs() -> None:
    sent = plan(meta={"work_order_id": "w", "workflow_id": 7, "project_id": "p", "new": {}})
    assert convert(sent, collections_version=None).meta["workOrderId"] == "w"
    assert "workflowId" not in convert(sent, collections_version=None).meta


def test_a_timeout_of_nothing_is_no_limit() -> None:
    assert not limits_of({"run_timeout_ms": 0}, Limits()).timed
    assert limits_of({"run_timeout_ms": 1000}, Limits()).timed
    assert limits_of({"state_limit_mb": 7}, Limits()).state_mb == 7
