"""What an editor says of a project file is what the reader says of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from holdfast.platform.project import form_v1, form_v2
from holdfast.platform.project.members import WORKFLOW_OPTIONS
from holdfast.platform.project.rules import check_project
from holdfast.platform.project.schema import project_schema
from holdfast.platform.project.source import Source

SCHEMA = Draft7Validator(project_schema())
FIRST: dict[str, Any] = {
    "name": "p",
    "credentials": {"login": {"name": "login", "owner": "a@b.org"}},
    "collections": {"codes": {"name": "codes"}},
    "channels": {"c": {"a": 1}},
    "webhook_keys": {"k": {"type": "hmac"}},
    "workflows": {
        "w": {
            "name": "w",
            "jobs": {"a": {"name": "a", "body": "fn(s => s)"}},
            "triggers": {"t": {"type": "webhook"}},
            "edges": {"e": {"source_trigger": "t", "target_job": "a"}},
        }
    },
}
SECOND: dict[str, Any] = {
    "name": "p",
    "schema_version": "4.0",
    "credentials": [{"name": "login", "owner": "a@b.org"}],
    "collections": ["codes", {"name": "more"}],
    "options": {"env": "main"},
    "workflows": [
        {
            "name": "w",
            "options": {"concurrency": 1},
            "steps": [
                {"id": "t", "type": "webhook", "next": {"a": {"condition": "always"}}},
                {"id": "a", "name": "a", "expression": "fn(s => s)", "next": "b"},
                {"id": "b", "name": "b", "adaptors": ["common@3.3.4"]},
            ],
        }
    ],
}
#: Where a part stands, and the members that it may have.
PARTS: list[tuple[dict[str, Any], Callable[[Any], Any], tuple[str, ...]]] = [
    (FIRST, lambda d: d, form_v1.PROJECT),
    (FIRST, lambda d: d["credentials"]["login"], ("id", "name", "owner")),
    (FIRST, lambda d: d["collections"]["codes"], ("id", "name")),
    (FIRST, lambda d: d["webhook_keys"]["k"], ("type",)),
    (FIRST, lambda d: d["workflows"]["w"], form_v1.WORKFLOW),
    (FIRST, lambda d: d["workflows"]["w"]["jobs"]["a"], form_v1.JOB),
    (FIRST, lambda d: d["workflows"]["w"]["triggers"]["t"], form_v1.TRIGGER),
    (FIRST, lambda d: d["workflows"]["w"]["edges"]["e"], form_v1.EDGE),
    (SECOND, lambda d: d, form_v2.PROJECT),
    (SECOND, lambda d: d["options"], form_v2.PROJECT_OPTIONS),
    (SECOND, lambda d: d["credentials"][0], ("name", "owner", "uuid")),
    (SECOND, lambda d: d["collections"][1], ("name", "uuid")),
    (SECOND, lambda d: d["workflows"][0], form_v2.WORKFLOW),
    (SECOND, lambda d: d["workflows"][0]["options"], WORKFLOW_OPTIONS),
    (SECOND, lambda d: d["workflows"][0]["steps"][0], form_v2.TRIGGER),
    (SECOND, lambda d: d["workflows"][0]["steps"][1], form_v2.STEP),
    (SECOND, lambda d: d["workflows"][0]["steps"][0]["next"]["a"], form_v2.NEXT),
]
VALUES: list[Any] = ["text", 7, True, None, ["x"], {"x": {"y": 1}}]
#: Members that take some words only, and one word of each.
CHOICES = {"condition_type", "priority", "retention_policy", "type", "cron_overlap",
           "cron_catch_up", "webhook_reply"}  # fmt: skip
WORDS = ["always", "low", "erase_all", "cron", "skip", "one", "after_completion", "hmac"]
#: Members that the reader passes over, whatever they are.
UNREAD = {"id", "start", "schema_version"}
#: What the reader says of a value's shape or of a word, and not of the rest of the file.
SHAPE = ("must be", "is not known", "is missing")
#: Said of shapes, but more than a schema can tell.
BEYOND = ("egress", "cron_timezone", "webhook_access", "env ", "cannot read", "the project's name")


MARK = yaml.Mark("project.yaml", 0, 0, 0, None, 0)


def node_of(value: Any) -> Node:
    """As the parser of YAML makes it; the texts of thousands of files would take a minute."""
    if isinstance(value, dict):
        pairs = [(node_of(key), node_of(item)) for key, item in value.items()]
        return MappingNode("tag:yaml.org,2002:map", pairs, MARK)
    if isinstance(value, list):
        return SequenceNode("tag:yaml.org,2002:seq", [node_of(item) for item in value], MARK)
    kind = {str: "str", bool: "bool", int: "int", type(None): "null"}[type(value)]
    return ScalarNode(f"tag:yaml.org,2002:{kind}", str(value).lower(), MARK)


def refusals(document: Any) -> list[str]:
    source = Source("{}", Path("project.yaml"))
    source.root = node_of(document)
    form = form_v2 if "schema_version" in document or "cli" in document else form_v1
    project, places = form.read(source)
    check_project(project, places, source)
    return [problem.text for problem in source.problems]


def changed() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every member of every part with every value; members that nobody knows; none at all."""
    for base, find, members in PARTS:
        for member in (*members, "nonsense"):
            for value in [*VALUES, *(WORDS if member in CHOICES else ())]:
                document = copy.deepcopy(base)
                find(document)[member] = value
                yield f"{member}: {value!r}", document
        for member in members:
            document = copy.deepcopy(base)
            if find(document).pop(member, None) is not None:
                yield f"without {member}", document


def test_editor_and_reader_agree() -> None:
    wrong = []
    for what, document in changed():
        said = refusals(document)
        allowed = SCHEMA.is_valid(document)
        shape = [line for line in said if any(word in line for word in SHAPE)]
        if not said and not allowed and what.partition(":")[0] not in UNREAD:
            errors = "; ".join(error.message for error in SCHEMA.iter_errors(document))
            wrong.append(f"{what}: only the editor complains: {errors[:150]}")
        if allowed and (told := [s for s in shape if not any(word in s for word in BEYOND)]):
            wrong.append(f"{what}: only the reader complains: {told[0]}")
    assert not wrong, "\n".join(wrong[:40])


@pytest.mark.parametrize("document", [FIRST, SECOND], ids=["maps", "lists"])
def test_members_that_are_known_are_described(document: dict[str, Any]) -> None:
    assert SCHEMA.is_valid(document)
    Draft7Validator.check_schema(project_schema())
    for name, part in project_schema()["definitions"].items():  # type: ignore[union-attr]
        for member, shape in part.get("properties", {}).items():  # type: ignore[union-attr]
            assert shape.get("description") or member in form_v2.PROJECT_OPTIONS, (name, member)  # type: ignore[union-attr]
