"""Absent means unchanged, null means the default, a list of parts is whole."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.platform.project.merge import merged, stale

JOB, OTHER, TRIGGER, FIRST, SECOND, FLOW = (
    f"00000000-0000-0000-0000-00000000000{n}" for n in range(1, 7)
)
CURRENT: dict[str, Any] = {
    "id": "00000000-0000-0000-0000-000000000009",
    "name": "demo",
    "retention_policy": "erase_all",
    "concurrency": 3,
    "collections": [{"id": JOB, "name": "codes"}],
    "workflows": [
        {
            "id": FLOW,
            "name": "Referrals",
            "egress": "none",
            "concurrency": 2,
            "enable_job_logs": False,
            "jobs": [
                {"id": JOB, "name": "Fetch", "body": "a", "adaptor": "x"},
                {"id": OTHER, "name": "Store", "body": "b", "adaptor": "y"},
            ],
            "triggers": [{"id": TRIGGER, "type": "webhook", "custom_path": "here"}],
            "edges": [
                {"id": FIRST, "source_trigger_id": TRIGGER, "target_job_id": JOB},
                {"id": SECOND, "source_job_id": JOB, "target_job_id": OTHER,
                 "condition_type": "js_expression", "condition_expression": "state.x"},
            ],
        }
    ],
}  # fmt: skip


def part(whole: dict[str, Any], kind: str, key: str) -> dict[str, Any]:
    found: dict[str, Any] = next(i for i in whole["workflows"][0][kind] if i["id"] == key)
    return found


def flow(**members: Any) -> dict[str, Any]:
    return {"id": CURRENT["id"], "workflows": [{"id": FLOW, **members}]}


def test_a_new_project_is_taken_as_it_is() -> None:
    assert merged({"name": "new"}, None) == {"name": "new"}


@given(st.sets(st.sampled_from(["name", "retention_policy", "concurrency"])))
def test_any_subset_of_the_projects_members_leaves_the_rest_untouched(sent: set[str]) -> None:
    payload = {"id": CURRENT["id"], **{name: CURRENT[name] for name in sent}}
    whole = merged(payload, CURRENT)
    assert {name: whole[name] for name in ("name", "retention_policy", "concurrency")} == {
        name: CURRENT[name] for name in ("name", "retention_policy", "concurrency")
    }
    assert "workflows" not in whole


def test_null_stays_null() -> None:
    assert merged({"retention_policy": None}, CURRENT)["retention_policy"] is None
    assert merged(flow(egress=None), CURRENT)["workflows"][0]["egress"] is None  # type: ignore[call-overload, index]


@given(st.data())
def test_any_subset_of_any_members_leaves_the_rest_untouched(
    data: st.DataObject,
) -> None:
    sent = copy.deepcopy(CURRENT["workflows"][0])
    for item in [sent, *sent["jobs"], *sent["triggers"], *sent["edges"]]:
        names = sorted(set(item) - {"id"})
        for name in data.draw(st.lists(st.sampled_from(names), unique=True)):
            item.pop(name, None)
    whole = merged({"id": CURRENT["id"], "workflows": [sent]}, CURRENT)
    assert whole["workflows"] == CURRENT["workflows"]


def test_parts_that_a_list_leaves_out_go_and_take_their_edges_along() -> None:
    edges = [{"id": FIRST}, {"id": SECOND}]  # the CLI sends the edge of a lost job without target
    whole = merged(flow(jobs=[{"id": JOB}], edges=edges), CURRENT)
    assert part(whole, "jobs", OTHER) == {"id": OTHER, "delete": True}
    assert part(whole, "edges", SECOND) == {"id": SECOND, "delete": True}
    assert part(whole, "edges", FIRST)["target_job_id"] == JOB


def test_edges_that_are_not_sent_go_with_their_job_too() -> None:
    whole = merged(flow(jobs=[{"id": JOB}]), CURRENT)
    assert part(whole, "edges", SECOND) == {"id": SECOND, "delete": True}
    assert part(whole, "triggers", TRIGGER)["custom_path"] == "here"


def test_an_edge_that_gets_another_kind_of_source_loses_the_old_one() -> None:
    edges = [{"id": FIRST, "source_job_id": OTHER}, {"id": SECOND}]
    edge = part(merged(flow(edges=edges), CURRENT), "edges", FIRST)
    assert edge["source_job_id"] == OTHER
    assert "source_trigger_id" not in edge


@pytest.mark.parametrize("extra", [{}, {"jobs": {}, "name": "x"}])
def test_a_deleted_workflow_keeps_its_mark(extra: dict[str, Any]) -> None:
    whole = merged(flow(delete=True, **extra), CURRENT)
    assert whole["workflows"][0]["delete"] is True  # type: ignore[call-overload, index]


def test_maps_keyed_by_name_are_lists_too() -> None:
    whole = merged(flow(jobs={"Fetch": {"id": JOB, "body": "z"}, "S": {"id": OTHER}}), CURRENT)
    assert part(whole, "jobs", JOB)["body"] == "z"
    assert part(whole, "jobs", OTHER)["body"] == "b"


def test_a_sender_that_saw_another_version_is_told() -> None:
    current = {**CURRENT, "workflows": [{**CURRENT["workflows"][0], "lock_version": 3}]}
    for seen, told in ((3, []), (None, []), (2, ["Referrals"]), (4, ["Referrals"])):
        assert stale(flow(lock_version=seen), current) == told
    assert stale(flow(lock_version=2, delete=True), current) == ["Referrals"]
    assert stale(flow(), current) == []
    assert stale(flow(lock_version=2), None) == []


def test_a_cursor_to_a_job_that_was_removed_is_cleared_however_often_it_is_sent() -> None:
    cron = {"id": TRIGGER, "type": "cron", "cron_cursor_job_id": OTHER}
    gone = flow(jobs=[{"id": JOB}], triggers=[cron])
    assert part(merged(gone, CURRENT), "triggers", TRIGGER)["cron_cursor_job_id"] is None
    flows = CURRENT["workflows"][0]
    after = {**CURRENT, "workflows": [{**flows, "jobs": flows["jobs"][:1], "edges": []}]}
    assert part(merged(gone, after), "triggers", TRIGGER)["cron_cursor_job_id"] is None
    fresh = {**cron, "id": OTHER}
    kept = part(merged(flow(triggers=[fresh]), after), "triggers", OTHER)
    assert kept["cron_cursor_job_id"] == OTHER
