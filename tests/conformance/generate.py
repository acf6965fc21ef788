"""Random jobs: built from fragments of the grammar, or known ones changed at random."""

from __future__ import annotations

import json
import random

from conformance.recorded import recorded

NAMES = ["fn", "get", "each", "state", "$", "a", "b", "x", "then", "p", "_defer", "é", "await"]
SCRAPS = [
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ",",
    ";",
    "\n",
    "\r\n",
    "\u2028",
    "`",
    "'",
    '"',
    "${",
    "=>",
    "$.a",
    "state",
    ".then(",
    ".catch(",
    "?.",
    "/",
    "/*",
    "*/",
    "//",
    "#",
    "\\",
    "\\u0061",
    "export",
    "default",
    "import",
    "await ",
    "let ",
    "const ",
    "class ",
    "function",
    "return ",
    "=",
    ":",
    "...",
    "\0",
    "\ufeff",
    "\ud800",
    "\U0001f600",
    "é",
    "0x1",
    "1n",
    "<!--",
    "#!",
    "async ",
    "yield ",
    "{}",
    "[1,2]",
    '{"a":1}',
    "__proto__",
    "-0",
]


class Generator:
    """Jobs from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.known: list[str] = [case["source"] for case in recorded("compiler-cases.json")]

    def source(self) -> str:
        """The next text."""
        kind = self.random.random()
        if kind < 0.5:
            return self.program()
        if kind < 0.9:
            return self.mutated(self.random.choice(self.known))
        return "\n".join(self.random.sample(self.known, 2))

    def mutated(self, text: str) -> str:
        """The text with a few things cut out, put in, doubled or exchanged."""
        pick = self.random
        for _ in range(pick.randint(1, 4)):
            at, to = sorted(pick.randint(0, len(text)) for _ in range(2))
            to = min(to, at + pick.choice([1, 2, 10, 100]))
            choice = pick.random()
            if choice < 0.3:
                text = text[:at] + text[to:]
            elif choice < 0.7:
                text = text[:at] + pick.choice(SCRAPS) + text[at:]
            elif choice < 0.85:
                text = text[:to] + text[at:to] + text[to:]
            else:
                other = pick.choice(self.known)
                begin = pick.randint(0, len(other))
                text = text[:at] + other[begin : begin + to - at] + text[to:]
        return text

    def program(self) -> str:
        """Statements, mostly correct."""
        count = self.random.randint(0, 6)
        ends = [";\n", "\n", ";", "; // c\n", " /* c */;\r\n", "\n\n"]
        return "".join(self.statement(3) + self.random.choice(ends) for _ in range(count))

    def statement(self, depth: int) -> str:
        """One statement."""
        pick, value = self.random, self.expression(depth)
        name = pick.choice(NAMES[5:9])
        return pick.choice(
            [
                self.call(depth),
                self.call(depth),
                self.call(depth),
                self.chain(depth),
                self.chain(depth),
                f"const {name}{pick.randint(0, 99)} = {value}",
                f"const {name}{pick.randint(0, 99)} = {self.data(4)}",
                f"let {{ {name}{pick.randint(0, 99)} }} = {value}",
                f"function {name}{pick.randint(0, 99)}(x) {{ return {value} }}",
                f"if ({value}) {self.call(depth)}",
                f"{{ {self.call(depth)} }}",
                f"export const {name}{pick.randint(0, 99)} = {value}",
                f"export default [{value}]",
                f"await {self.call(depth)}",
                f"l: {self.call(depth)}",
                f"for (const q of {value}) {self.call(depth)}",
                f"({self.call(depth)})",
                f"try {{ {self.call(depth)} }} catch (e) {{ e }}",
                "",
                "'use strict'",
                f"class A{pick.randint(0, 99)} {{ x = {value}; m() {{ return {value} }} }}",
                f"switch ({value}) {{ case 1: {value}; default: {value} }}",
                "import { q } from 'x'",
                f"x.y = {value}",
            ]
        )

    def call(self, depth: int) -> str:
        """A call."""
        callee = self.random.choice(["fn", "get", "http.get", "each", "a[b]", "f()", "(x => x)"])
        count = self.random.randint(0, 3)
        return f"{callee}({', '.join(self.expression(depth - 1) for _ in range(count))})"

    def chain(self, depth: int) -> str:
        """A promise chain."""
        links = [".then", ".catch", "\n  .then", "?.then", ".finally"]
        count = self.random.randint(1, 3)
        tail = "".join(
            f"{self.random.choice(links)}({self.expression(depth - 1)})" for _ in range(count)
        )
        base = self.call(depth)
        return f"({base}){tail}" if self.random.random() < 0.2 else base + tail

    def expression(self, depth: int) -> str:
        """Any expression."""
        pick = self.random
        if depth <= 0:
            return pick.choice([*NAMES, "1", "'s'", "$.a", "$.b.c", "$", "`t`", "null", "/r/g"])
        one, two = self.expression(depth - 1), self.expression(depth - 1)
        return pick.choice(
            [
                self.call(depth),
                self.chain(depth),
                f"state => {one}",
                f"(state) => ({{ a: {one} }})",
                f"x => {{ return {one} }}",
                f"function (state) {{ return {one} }}",
                f"({one}, {two})",
                f"{{ a: {one}, b: {two} }}",
                f"[{one}, {two}]",
                f"`t${{{one}}}\n${{{two}}}`",
                f"{one} ? {two} : 1",
                f"{one} + {two}",
                f"({one})",
                f"$.a[{one}]",
                f"$.f({one})",
                f"!{one}",
                f"$?.a?.[{one}]",
                "$.a",
                "$",
                self.data(3),
                f"new X({one})",
                f"tag`${{{one}}}`",
                f"async () => await {one}",
                f"(class {{ m() {{ {one} }} }})",
                f"{{ x, ...{one} }}",
                f"(a = {one})",
                f"{{ [{one}]: {two} }}",
                "import('x')",
                f"state.f({one})",
            ]
        )

    def data(self, depth: int) -> str:
        """Pure data, in the notation of JSON or of an author."""
        value = self.value(depth)
        text = json.dumps(value, indent=self.random.choice([None, 1, 2]), ensure_ascii=False)
        kind = self.random.random()
        if kind < 0.2:
            text = text.replace('"', "'")
        elif kind < 0.3:
            text = text.replace("]", ", ]")
        elif kind < 0.4:
            text = text.replace("{", "{ /* c */ k: 0x1F, ")
        return text

    def value(self, depth: int) -> object:
        """A JSON value."""
        pick = self.random
        leaf = pick.choice(
            [0, -0.0, 1, -17, 1e21, 1.5e-7, True, False, None, "", "a$.b", "é\u2028", "\\"]
        )
        if depth <= 0 or pick.random() < 0.2:
            return leaf
        count = pick.randint(0, 5)
        if pick.random() < 0.5:
            return [self.value(depth - 1) for _ in range(count)]
        keys = ["a", "b", "é", "1", "0x", "state", "__proto__", "constructor", "", "then", "k"]
        return {pick.choice(keys): self.value(depth - 1) for _ in range(count)}
