"""Declarations for editors, from an adaptor's manual."""

from __future__ import annotations

import re
from pathlib import Path

import tree_sitter
import tree_sitter_typescript

import holdfast
from holdfast.adaptors.declared import Declared, Parameter
from holdfast.adaptors.manual import Manual
from holdfast.adaptors.types import declarations

SOURCES = Path(holdfast.__file__).parent
PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_typescript.language_typescript()))


def parameter(name: str, kind: str = "", **said: bool) -> Parameter:
    words = {"optional": False, "rest": False, **said}
    return Parameter(name, kind, f"About {name} */", **words)


OPERATIONS = {
    "get": Declared("get", (parameter("path", "string"), parameter("options")), "Ask.\n\nTwice.",
                    ("<caption>One</caption>\nget('/x');",)),
    "fn": Declared("fn", (parameter("func", "Function"),), "", ()),
    "all": Declared("all", (parameter("...parts", rest=True),), "", ()),
    "delete": Declared("delete", (), "", ()),
    "tools.{odd}": Declared("tools.{odd}", (), "", ()),
    "tools.sum": Declared("tools.sum", (parameter("{ a }"),), "Add.", ()),
}  # fmt: skip
BOOK = Manual("@openfn/language-x", "1.0.0", "", OPERATIONS, 3, ("util", "not-a-name"), ())


def test_operations_have_their_words_and_arguments() -> None:
    text = declarations(BOOK)
    assert not PARSER.parse(text.encode()).root_node.has_error
    assert "declare function get(path: any, options?: any): Operation;" in text
    assert " * Ask.\n *\n * Twice.\n * @param path About path *\\/" in text
    assert " * @example One\n * get('/x');" in text
    assert "declare function fn(func: (state: State) => any): Operation;" in text
    assert "declare function all(...parts: any[]): Operation;" in text
    assert "  sum(argument1: any): Operation;" in text
    assert "declare const util: any;" in text
    assert "export function get(" in text.partition('declare module "@openfn/language-x"')[2]
    assert "function delete" not in text
    assert "odd" not in text
    assert "not-a-name" not in text


def test_no_name_of_an_adaptor_leaves_its_place_in_the_declarations() -> None:
    book = Manual('x"} evil: { "', "1\nevil();", "", OPERATIONS, 3, (), ())
    tree = PARSER.parse(declarations(book).encode()).root_node
    assert not tree.has_error
    assert b"evil" not in b"".join(
        node.text or b"" for node in tree.children if node.type == "expression_statement"
    )


def test_what_every_adaptor_has_is_declared_once() -> None:
    book = Manual("@openfn/language-x", "1.0.0", "", OPERATIONS, 3, ("collections",), ())
    text = declarations(book)
    assert "declare function fn(" in text
    assert "\ndeclare const collections" not in text


def test_the_sandbox_has_the_names_that_job_code_has() -> None:
    code = (SOURCES / "engine" / "javascript" / "scope.mjs").read_text(encoding="utf-8")
    web = re.search(r"WEB = new Set\(\[([^\]]*)\]\)", code)
    assert web is not None
    wanted = {*re.findall(r"'(\w+)'", web[1]), *re.findall(r"lend\('(\w+)'", code), "Buffer"}
    text = (SOURCES / "cli" / "sandbox.d.ts").read_text(encoding="utf-8")
    assert not PARSER.parse(text.encode()).root_node.has_error
    told = set(re.findall(r"^declare (?:const|function|class) (\w+)", text, re.MULTILINE))
    assert wanted - told == {"parseInt", "parseFloat"}, "those two are of the language"
    assert told - wanted <= {"console", "collections"}
