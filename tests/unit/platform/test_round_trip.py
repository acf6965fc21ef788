"""What is fetched can be deployed again and changes nothing: both forms and the folder."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from holdfast.model.json import JsonObject
from holdfast.platform.project.deployment import to_payload
from holdfast.platform.project.merge import merged
from holdfast.platform.project.provision import Provision, from_payload
from holdfast.platform.project.read import parse_project, read_project
from holdfast.platform.project.write_v1 import spec_text
from holdfast.platform.project.write_v2 import folder_of, project_text
from holdfast.platform.project.writing import to_yaml
from support.projects import ODD, random_project

ENDPOINT = "https://flows.example.org"
SEEDS = range(12)


def told(document: JsonObject, current: JsonObject) -> Provision:
    """What the platform would do with the document, without the order of its parts."""
    found = from_payload(merged(document, current))
    for workflow in found.project.workflows:
        workflow.edges.sort(key=lambda edge: edge.id)
        workflow.jobs.sort(key=lambda job: job.id)
        workflow.triggers.sort(key=lambda trigger: trigger.id)
        for trigger in workflow.triggers:
            trigger.webhook_reply = trigger.webhook_reply if trigger.type == "webhook" else ""
    found.project.workflows.sort(key=lambda workflow: workflow.id)
    found.project.credentials.sort(key=lambda credential: credential.key)
    return found


def document_of(seed: int) -> dict[str, Any]:
    document = random_project(Random(seed))
    for workflow in document["workflows"]:
        workflow["lock_version"] = 1
    return document


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("write", [spec_text, lambda document: project_text(document, ENDPOINT)])
def test_a_file_changes_nothing(write: Any, seed: int) -> None:
    document = document_of(seed)
    project = parse_project(write(document), Path("project.yaml"))
    assert told(to_payload(project, document), document) == told(document, document)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_folder_changes_nothing(tmp_path: Path, seed: int) -> None:
    document = document_of(seed)
    for name, text in folder_of(document, ENDPOINT).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    project = read_project(tmp_path)
    used = {job["project_credential_id"] for w in document["workflows"] for job in w["jobs"]}
    payload: Any = to_payload(project, document)
    payload["project_credentials"] += [
        c for c in document["project_credentials"] if c["id"] not in used
    ]
    assert told(payload, document) == told(document, document)
    heads = {w["version_history"][-1] for w in document["workflows"]}
    assert set(project.forked_from.values()) == heads


def test_texts_come_back_as_they_were() -> None:
    assert yaml.safe_load(to_yaml({"texts": [*ODD]})) == {"texts": ODD}
