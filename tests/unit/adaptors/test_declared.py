"""What an adaptor says of its functions: what gives operations, and how many arguments."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.adaptors.declared import declared, operations


def described(name: str, gives: str, *parameters: str) -> dict[str, object]:
    tags: list[dict[str, object]] = [
        {"title": "param", "name": item, "type": {"type": "NameExpression", "name": "any"}}
        for item in parameters
    ]
    tags.append({"title": "returns", "type": {"type": "NameExpression", "name": gives}})
    return {"name": name, "params": [*parameters], "docs": {"tags": tags}}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    own = [
        described("send", "Operation", "to", "body"),
        described("all", "operation", "items"),
        described("clean", "String", "text"),
        described("check", "Operation", "schema"),
    ]
    common = [
        described("fn", "Operation", "func"),
        described("fields", "Object", "fields"),
        described("dataValue", "Operation", "path"),
    ]
    (tmp_path / "ast.json").write_text(json.dumps({"operations": own, "common": common}))
    (tmp_path / "types").mkdir()
    (tmp_path / "types" / "Adaptor.d.ts").write_text(
        "export function send(to: string, body: object): Operation;\n"
        "export declare function all(...items: any[]): operation;\n"
        "export function clean(text: string): string;\n"
        "export function check(schema?: object): Operation;\n"
    )
    return tmp_path


def test_only_what_gives_an_operation_counts_as_one(package: Path) -> None:
    assert operations(package) == ("send", "all", "check", "fn")


def test_rest_and_optional_arguments_are_read_from_the_declarations(package: Path) -> None:
    found = {name: (item.least, item.most) for name, item in declared(package).items()}
    assert found == {
        "send": (1, 2),
        "all": (0, None),
        "clean": (1, 1),
        "check": (0, 1),
        "fn": (1, 1),
        "fields": (0, None),
        "dataValue": (1, 1),
    }


def test_a_package_that_says_nothing_has_no_operations(tmp_path: Path) -> None:
    assert operations(tmp_path) == ()
    (tmp_path / "ast.json").write_text('{"operations": [1, {"name": "a", "docs": 1}]}')
    assert operations(tmp_path) == ()
    assert declared(tmp_path) == {}
