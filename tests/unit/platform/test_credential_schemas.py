"""Values of a credential against the schema of its adaptor; the form; keychains' paths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.adaptors.record import Record
from holdfast.platform.secrets import schemas
from holdfast.platform.secrets.checking import problems
from holdfast.platform.secrets.fields import body_of, fields_of
from holdfast.platform.secrets.matching import path_problem, value_at
from holdfast.platform.secrets.schemas import Schema, SchemaError

#: As `@openfn/language-openmrs` has it, with one more of each kind.
DOCUMENT: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "additionalProperties": False,
    "required": ["instanceUrl"],
    "properties": {
        "instanceUrl": {"type": "string", "format": "uri", "minLength": 1, "title": "Instance"},
        "password": {"type": "string", "minLength": 8},
        "mail": {"anyOf": [{"type": "string", "format": "email"}, {"type": "null"}]},
        "count": {"anyOf": [{"type": "integer"}, {"type": "null"}], "placeholder": "7"},
        "release": {"enum": ["R4", "R5", 3], "default": "R4"},
        "strict": {"type": "boolean"},
        "tls": {
            "type": "object",
            "required": ["cert"],
            "properties": {"cert": {"type": "string"}},
        },
    },
}
SCHEMA = Schema("openmrs", DOCUMENT)
GOOD: dict[str, Any] = {"instanceUrl": "https://openmrs.example.org"}


@pytest.mark.parametrize(
    ("change", "path", "text"),
    [
        ({"instanceUrl": ""}, "body.instanceUrl", "is required"),
        ({"instanceUrl": 5}, "body.instanceUrl", "must be text"),
        ({"instanceUrl": "s3cret words"}, "body.instanceUrl", "must be written as an address"),
        ({"password": "s3cret"}, "body.password", "must have at least 8 characters"),
        ({"mail": "s3cret"}, "body.mail", "must be written as an e-mail address"),
        ({"count": "s3cret"}, "body.count", "must be a whole number or null"),
        ({"release": "s3cret"}, "body.release", "must be one of R4, R5, 3"),
        ({"strict": "s3cret"}, "body.strict", "must be true or false"),
        ({"tls": {}}, "body.tls.cert", "is required"),
        ({"tls": {"cert": ["s3cret"]}}, "body.tls.cert", "must be text"),
        ({"pasword": "s3cret"}, "body.pasword", "is not known; known are instanceUrl, password"),
    ],
)
def test_what_is_wrong_is_told_by_its_key_and_never_by_its_value(
    change: dict[str, Any], path: str, text: str
) -> None:
    found = problems(SCHEMA, {**GOOD, **change})
    assert list(found) == [path]
    assert found[path][0].startswith(text)
    assert "s3cret" not in json.dumps(found)


def test_right_values_and_everything_raw_are_taken() -> None:
    right = {
        **GOOD,
        "mail": None,
        "count": 3,
        "release": 3,
        "strict": False,
        "password": "12345678",
    }
    assert problems(SCHEMA, right) == {}
    assert problems(Schema("raw", schemas.BUILT_IN["raw"]), {"any": [1, {"x": None}]}) == {}
    assert problems(Schema("oauth", schemas.BUILT_IN["oauth"]), {}) == {
        "body.access_token": ["is required"]
    }


@pytest.mark.parametrize(
    "document",
    [
        {"type": "nonsense"},
        {"properties": {"instanceUrl": {"$ref": "https://schemas.example.org/x.json"}}},
        {"properties": {"instanceUrl": {"type": "string", "pattern": "(?<"}}},
        {"$ref": "#"},
    ],
    ids=["unknown type", "elsewhere", "bad pattern", "circle"],
)
def test_a_schema_that_cannot_be_used_says_so(document: dict[str, Any]) -> None:
    with pytest.raises(SchemaError, match="'broken' cannot be used"):
        problems(Schema("broken", document), GOOD)


def test_the_form_has_a_field_for_each_key() -> None:
    fields = {field.key: field for field in fields_of(SCHEMA)}
    assert {key: field.kind for key, field in fields.items()} == {
        "instanceUrl": "text", "password": "text", "mail": "text", "count": "number",
        "release": "choice", "strict": "switch", "tls": "json",
    }  # fmt: skip
    assert fields["password"].secret
    assert not fields["instanceUrl"].secret
    assert fields["instanceUrl"].required
    assert (fields["count"].example, fields["release"].default) == ("7", "R4")
    filled = {
        "instanceUrl": "https://x",
        "password": "",
        "count": "4",
        "release": "3",
        "tls": "{}",
    }
    assert body_of(list(fields.values()), filled) == {
        "instanceUrl": "https://x", "count": 4, "release": 3, "strict": False, "tls": {},
    }  # fmt: skip
    with pytest.raises(ValueError, match="count must be a number"):
        body_of(list(fields.values()), {"count": "many"})


def installed(root: Path, name: str, version: str, document: Any) -> tuple[Path, Record]:
    package = root / f"{name}@{version}" / "node_modules" / name
    package.mkdir(parents=True)
    (package / "configuration-schema.json").write_text(json.dumps(document))
    return root / f"{name}@{version}", Record(name, version, "index.js", (), 1, "", 0, 0, 0.0, "")


def test_the_newest_installed_adaptor_and_a_folder_give_schemas(tmp_path: Path) -> None:
    name = "@openfn/language-openmrs"
    store = [
        installed(tmp_path, name, version, {"title": version}) for version in ("9.0.0", "10.0.0")
    ]
    folder = tmp_path / "schemas"
    folder.mkdir()
    (folder / "own.json").write_text('{"title": "own"}')
    (folder / "bad.json").write_text("[")
    assert schemas.names(store, folder) == ["bad", "oauth", "openmrs", "own", "raw"]
    assert schemas.find("openmrs", store, None) == Schema(
        "openmrs", {"title": "10.0.0"}, f"{name}@10.0.0"
    )
    assert schemas.find("own", store, folder).document == {"title": "own"}
    for missing in ("own", "../own", "", "x" * 200):
        with pytest.raises(SchemaError):
            schemas.find(missing, store, None)
    with pytest.raises(SchemaError, match="cannot be read"):
        schemas.find("bad", store, folder)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.facility.id", "17"),
        ("$.patients[*].clinic", "north"),
        ("$['facility']['name']", "South"),
        ("$.facility", None),
        ("$.nothing", None),
        ("$.closed", None),
    ],
)
def test_a_keychain_takes_the_first_text_or_number(path: str, found: str | None) -> None:
    document: Any = {
        "facility": {"id": 17, "name": "South"},
        "patients": [{"clinic": "north"}, {"clinic": "east"}],
        "closed": True,
    }
    assert path_problem(path) is None
    assert value_at(path, document) == found


@pytest.mark.parametrize(
    "path",
    ["", "facility.id", "$..[", "$[?match(@.a, '(a+)+')]", "$[?@.a =~ /x/]", "$" + ".a" * 300],
)
def test_a_path_that_is_none_or_matches_expressions_is_refused(path: str) -> None:
    assert path_problem(path) is not None
