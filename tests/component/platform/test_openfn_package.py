"""`@openfn/project` itself makes and changes projects: what it sends is what it gets back.

`make projects` does it with 200 of them (`HOLDFAST_PROJECTS`), the suite with a few.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

import pytest

from holdfast.platform.project.versions import same_version
from holdfast.platform.project.write_v2 import folder_of, project_of
from support.openfn_project import package
from support.platform import Served
from support.projects import random_project

COUNT = int(os.environ.get("HOLDFAST_PROJECTS", "8"))


def fetched(served: Served, names: list[str]) -> list[dict[str, Any]]:
    return [served.client.get(f"/api/provision/{name}").json()["data"] for name in names]


def plain(project: dict[str, Any]) -> dict[str, Any]:
    """A project of form 2 without what the platform counts: ids, versions and times."""

    def stripped(value: Any) -> Any:
        if isinstance(value, dict):
            skipped = {"openfn", "history", "cli"}
            return {k: stripped(v) for k, v in value.items() if k not in skipped}
        return [stripped(item) for item in value] if isinstance(value, list) else value

    whole: dict[str, Any] = stripped(project)
    for workflow, shown in zip(project["workflows"], whole["workflows"], strict=True):
        known = {step["openfn"]["uuid"] for step in workflow["steps"] if "openfn" in step}
        for step in shown["steps"]:
            if step.get("cron_cursor_job_id") not in known:
                step.pop("cron_cursor_job_id", None)  # its job was removed
            for edge in (step.get("next") or {}).values():
                edge.setdefault("disabled", False)
            if not step.get("next") and "type" not in step:
                step.pop("next", None)
            if "expression" in step:
                step["expression"] = step["expression"] or None
    return whole


def test_the_package_gets_back_what_it_sent(served: Served) -> None:
    names = []
    for seed in range(COUNT):
        document = random_project(Random(seed))
        served.deploy(document)
        names.append(document["name"])
    before = fetched(served, names)
    answers = package([{"state": state, "seed": seed} for seed, state in enumerate(before)])
    for seed, (state, answer) in enumerate(zip(before, answers, strict=True)):
        assert answer["project"] | {"cli": None} == project_of(state, "http://localhost") | {
            "cli": None
        }, seed
        for key, made in answer["hashes"].items():
            assert same_version(made, answer["heads"][key]), (seed, made)
        served.deploy(answer["state"])
        assert (
            served.deploy(answer["state"] | _locks(served, answer["state"]))["holdfast"]["changes"]
            == []
        ), seed
    after = package([{"state": state} for state in fetched(served, names)])
    for seed, (sent, got) in enumerate(zip(answers, after, strict=True)):
        assert plain(got["project"]) == plain(sent["wanted"]), (seed, sent["done"])
        for key, made in got["hashes"].items():
            assert same_version(made, got["heads"][key]), (seed, sent["done"])


def _locks(served: Served, state: dict[str, Any]) -> dict[str, Any]:
    """The workflows with the lock versions of now, as after a fetch."""
    (now,) = fetched(served, [state["name"]])
    locks = {workflow["id"]: workflow["lock_version"] for workflow in now["workflows"]}
    return {
        "workflows": {
            key: {**workflow, "lock_version": locks[workflow["id"]]}
            for key, workflow in state["workflows"].items()
        }
    }


@pytest.mark.parametrize("seed", range(3))
def test_the_folder_is_the_one_the_package_writes(served: Served, seed: int) -> None:
    document = random_project(Random(seed))
    for workflow in document["workflows"]:
        workflow |= {"concurrency": None, "enable_job_logs": True, "egress": None}
    served.deploy(document)
    (state,) = fetched(served, [document["name"]])
    (answer,) = package([{"state": state}])
    ours = folder_of(state, "http://localhost")
    for name, text in answer["files"].items():
        if name.endswith(".js"):
            assert ours[name] == text
    (again,) = package([{"state": state}])
    assert {name for name in ours if not name.startswith((".projects", "openfn"))} == {
        name for name in again["files"] if not name.startswith("openfn")
    }
