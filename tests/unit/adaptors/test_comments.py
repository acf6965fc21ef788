"""Documented functions of a declaration file."""

from __future__ import annotations

from holdfast.adaptors.comments import functions
from holdfast.adaptors.declared import Parameter

TEXT = """
/** No comment of a function. */
export type X = any;
/**
 * Fetch one.
 * Or more.
 * @public
 * @param {string|Query} name - The name,
 *   on two lines
 * @param [options] - What else
 * @example <caption>One</caption>
 * get('a', { b: 1 })
 * @example
 * get('b')
 */
export function get<T>(name: string, options?: { a: [x: string, y: number] }, ...rest: any[]): Op;
export function hidden(a: any): any;
/** Callbacks. */
export function each(call: (a: string, b: any) => void, last: Map<string, number>): any;
"""


def test_parameters_come_from_the_code_and_words_from_the_comment() -> None:
    (get, comment), (each, _) = functions(TEXT)
    assert "@public" in comment
    assert get.name == "get"
    assert get.description == "Fetch one.\nOr more."
    assert get.parameters == (
        Parameter("name", "string|Query", "The name, on two lines", optional=False, rest=False),
        Parameter(
            "options", "{ a: [x: string, y: number] }", "What else", optional=True, rest=False
        ),
        Parameter("rest", "any[]", "", optional=False, rest=True),
    )
    assert get.examples == ("<caption>One</caption>\nget('a', { b: 1 })", "get('b')")
    assert [item.name for item in each.parameters] == ["call", "last"]
    assert each.parameters[1].kind == "Map<string, number>"


def test_broken_text_has_no_functions_or_fewer() -> None:
    assert list(functions("/** x */ export function a(")) != []
    assert list(functions("/** never closed export function a()")) == []
    assert list(functions("")) == []


def test_each_function_has_the_comment_that_ends_right_before_it() -> None:
    text = (
        "/** far */ let x;\n/** near */\nexport declare function a(b: any): any;\n/** open export"
    )
    assert [(item.name, item.description) for item, _ in functions(text)] == [("a", "near")]
    many = "/** c */\n" * 50_000 + "/**" * 50_000 + "*/ export function last(): any;"
    assert [item.name for item, _ in functions(many)] == ["last"]
