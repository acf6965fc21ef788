"""What a version of a workflow changed, and the document that brings one back."""

from __future__ import annotations

from typing import Any

from holdfast.platform.causes.naming import Names
from holdfast.platform.web.versions import changes_between, document_of

NAMES = Names({"c1": "Clinic", "j1": "Fetch"})


def job(**changes: Any) -> dict[str, Any]:
    return {
        "id": "j1", "name": "Fetch", "body": "a\nb\nc", "adaptor": "x@latest",
        "adaptor_resolved": "x@1.0.0", "credential_id": None, **changes,
    }  # fmt: skip


def trigger(**changes: Any) -> dict[str, Any]:
    return {
        "id": "t1", "name": "webhook", "type": "webhook", "enabled": True,
        "webhook_access": '{"keys": ["k"]}', **changes,
    }  # fmt: skip


def parts(*jobs: Any, triggers: Any = (), edges: Any = ()) -> dict[str, Any]:
    return {"jobs": [*jobs], "triggers": [*triggers], "edges": [*edges]}


def test_code_is_compared_by_line_and_ids_become_names() -> None:
    after = job(body="a\nB\nc", credential_id="c1", adaptor_resolved="x@2.0.0")
    (changed,) = changes_between(parts(job()), parts(after), NAMES)
    assert (changed.sign, changed.kind, changed.name) == ("~", "job", "Fetch")
    body, credential = changed.members
    assert [line for line in body.lines if line[:1] in "+-"] == ["-b", "+B"]
    assert (credential.name, credential.before, credential.after) == (
        "credential",
        "nothing",
        "Clinic",
    )


def test_a_new_version_of_an_adaptor_alone_is_nobodys_change() -> None:
    assert changes_between(parts(job()), parts(job(adaptor_resolved="x@2.0.0")), NAMES) == []


def test_parts_that_came_and_went_are_told() -> None:
    gone, new = job(), job(id="j2", name="Store")
    found = changes_between(parts(gone), parts(new), NAMES)
    assert [(item.sign, item.name) for item in found] == [("-", "Fetch"), ("+", "Store")]


def test_an_old_version_comes_back_whole_but_turns_nothing_on() -> None:
    old = parts(job(keychain_credential_id="k1"), job(id="j2"), triggers=[trigger()])
    today = parts(job(), triggers=[trigger(enabled=False)])
    document: Any = document_of(old, today)
    first, second = document["jobs"]
    assert "adaptor_resolved" not in first
    assert "credential_id" not in first
    assert first["project_credential_id"] is None
    assert (first["keychain_credential_id"], second["keychain_credential_id"]) == ("k1", None)
    (back,) = document["triggers"]
    assert back["enabled"] is False
    assert back["webhook_access"] == {"keys": ["k"]}
    gone: Any = document_of(old, parts())["triggers"]  # it was removed since
    assert gone[0]["enabled"] is False


def test_an_edge_with_a_new_id_between_the_same_ends_is_the_same_edge() -> None:
    ends = {"source_trigger_id": "t1", "source_job_id": None, "target_job_id": "j1"}
    one, other = ({"id": key, **ends, "condition_type": "always"} for key in "ab")
    before = parts(job(), triggers=[trigger()], edges=[one])
    same = parts(job(), triggers=[trigger()], edges=[other])
    assert changes_between(before, same, NAMES) == []
    never = {**other, "condition_type": "on_job_failure"}
    (changed,) = changes_between(before, parts(job(), edges=[never], triggers=[trigger()]), NAMES)
    assert (changed.kind, changed.sign, changed.name) == ("edge", "~", "webhook->Fetch")
