"""What a package says of itself, and how `holdfast adaptors docs` shows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.adaptors.manual import Manual, manual
from holdfast.cli.adaptordocs import show_manual
from holdfast.model.errors import UsageError

STRING = {"type": "NameExpression", "name": "string"}
AST = {
    "operations": [
        {
            "name": "get",
            "params": ["path", "options"],
            "docs": {
                "description": "Make a GET request. It is quick.",
                "tags": [
                    {"title": "param", "name": "path", "type": STRING, "description": "Where"},
                    {"title": "example", "description": "get('/x')"},
                ],
            },
        },
        {"name": "inner", "params": [], "docs": {}},
    ],
    "common": [{"name": "fn", "params": ["func"], "docs": {"description": "A step."}}],
}
INDEX = "export * as extra from './extra';\nexport * as up from './../up';\n"
EXTRA = """/**
 * Do it.
 * @public
 */
export function go(a: string): any;
/** Not public. */
export function help(): any;
"""


@pytest.fixture
def book(tmp_path: Path) -> Manual:
    (tmp_path / "types").mkdir()
    about = {"name": "@openfn/language-x", "version": "1.2.3", "description": "X."}
    schema = {"properties": {"url": {"title": "Address"}}, "required": ["url"]}
    (tmp_path / "package.json").write_text(json.dumps(about))
    (tmp_path / "ast.json").write_text(json.dumps(AST))
    (tmp_path / "configuration-schema.json").write_text(json.dumps(schema))
    (tmp_path / "types" / "index.d.ts").write_text(INDEX)
    (tmp_path / "types" / "extra.d.ts").write_text(EXTRA)
    return manual(tmp_path, ("fn", "get", "extra", "dateFns"))


def test_operations_of_the_adaptor_come_first(book: Manual) -> None:
    assert [*book.operations] == ["get", "extra.go", "fn"], "what is not exported is no operation"
    assert book.own == 2
    assert book.values == ("dateFns",)
    assert (book.credential[0].name, book.credential[0].required) == ("url", True)


def test_it_is_shown(book: Manual, capsys: pytest.CaptureFixture[str]) -> None:
    show_manual(book, None, as_json=False)
    whole = capsys.readouterr().out
    assert "  get(path, ...options)\n      Make a GET request.\n" in whole
    assert "url (needed)             Address" in whole
    show_manual(book, "get", as_json=False)
    one = capsys.readouterr().out
    assert "  path (string)\n      Where\n" in one
    assert "    get('/x')\n" in one
    show_manual(book, "get", as_json=True)
    assert json.loads(capsys.readouterr().out)["operations"][0]["name"] == "get"
    with pytest.raises(UsageError) as wrong:
        show_manual(book, "gett", as_json=False)
    assert wrong.value.fix == "Did you mean get?"


def test_a_package_that_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "ast.json").write_text("{")
    assert manual(tmp_path, ("get",)).values == ("get",)
