"""Statements that end with their line, in every combination: where a semicolon is inserted."""

from __future__ import annotations

import itertools

HEADS = [
    "let x",
    "let x, y",
    "let {a} = b",
    "import a from 'x'",
    "import 'x'",
    "export * from 'x'",
    "export {a} from 'x'",
    "const f = x => {}",
    "const f = async x => { g }",
    "f = x => y => { g }",
    "f = x => y",
    "f = x => ({})",
    "export default x => { g }",
    "export const q = x => { g }",
    "if (a) b; else c = x => {}",
    "debugger",
    "a: b = x => {}",
    "fn(1)",
    "f = x => {} // c",
    "class A { a\n[k] = 1\nb\n'c' = 2\n*g(){}\n}",
    "f = function () {}",
    "f = class {}",
    "x++",
    "x",
    "async",
    "f = x => { }, g = y => { }",
    "x = a ? b => { } : c => { }",
    "function g() { return\n}",
    "export default class {}",
    "await",
    "let",
    "x = async () => { await",
    "export default [fn(1)]",
    "f = [x => {}]",
    "throw x",
    "x => {}",
]
TAILS = [
    "(async () => { y })()",
    "[1, 2].forEach(z)",
    "`tagged`",
    "/re/g.test(x)",
    "++z",
    "+z",
    ".then(z)",
    "?.z()",
    "* 2",
    "fn(2)",
    "q = 1",
    "[q] = [1]",
    "fn(3) }",
    "(z)",
    "{ }",
    "instanceof z",
    "async x => 1",
    "in z",
    "(1, $.a)",
]
GAPS = ["\n", "\r\n", "\n\n  ", " ", "\u2028", " // c\n", "\r", " // c\r"]


def line_ends() -> list[str]:
    """Every head, gap and tail, and an operation behind them. Many are no correct text."""
    return [
        f"{head}{gap}{tail}\nget(9)"
        for head, gap, tail in itertools.product(HEADS, GAPS, TAILS)
        # Nothing can be put between these two without moving what follows.
        if not (head == "export default class {}" and gap == " ")
    ]
