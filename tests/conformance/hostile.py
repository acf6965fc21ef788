"""Texts made to hurt a compiler: huge, deep, cut off, or not text at all."""

from __future__ import annotations

from collections.abc import Callable

MILLION = 1_000_000


def hostile(scale: int = MILLION) -> dict[str, Callable[[], str | bytes]]:
    """Name to maker; `scale` is the size of the largest ones in characters or brackets."""
    some = max(scale // 10, 10)
    few = max(scale // 100, 10)
    return {
        "square brackets": lambda: "[" * scale,
        "square brackets, closed": lambda: "x = " + "[" * scale + "]" * scale,
        "braces": lambda: "{" * scale,
        "objects": lambda: 'x = {"a":' * some,
        "objects, closed": lambda: "x = " + '{"a":' * some + "1" + "}" * some,
        "parentheses": lambda: "(" * scale,
        "parentheses, closed": lambda: "fn" + "(" * some + ")" * some,
        "calls": lambda: "fn(" * some + ")" * some,
        "chained calls": lambda: "fn" + "()" * some,
        "promises": lambda: "fn()" + ".then(x)" * some,
        "promises and catches": lambda: "fn().catch(a).then(b);" * few,
        "promises within promises": lambda: "fn(" + "get().then(" * few + ")" * few + ")",
        "arrows": lambda: "x => " * some + "1",
        "templates": lambda: "`${" * some,
        "templates, closed": lambda: "`${" * some + "}`" * some,
        "one long line": lambda: "x = 1; " * (scale // 7 * 5),
        "one long string": lambda: "fn('" + "a" * (20 * scale) + "')",
        "an unterminated string": lambda: "fn('" + "a" * scale,
        "an unterminated template": lambda: "fn(`" + "a\n" * some,
        "an unterminated comment": lambda: "fn(1); /* " + "a\n" * some,
        "an unterminated expression": lambda: "fn(/" + "a" * some,
        "quotes": lambda: "'\"`" * some,
        "backslashes": lambda: "\\" * some,
        "backslashes in a string": lambda: "fn('" + "\\" * some,
        "NUL bytes": lambda: "\0" * some,
        "NUL bytes in code": lambda: "fn(\0);\n" * few,
        "lone surrogates": lambda: "fn('" + "\ud800" * some + "');",
        "no UTF-8": lambda: b"fn('\xff\xfe\xc3');\n" * few,
        "line separators": lambda: "fn(1);\u2028" * few,
        "carriage returns": lambda: "fn(1);\r" * few,
        "byte order marks": lambda: "\ufeff" * few + "fn(1)",
        "operations": lambda: "fn(1);\n" * some,
        "operations without semicolons": lambda: "fn(1)\n" * some,
        "operations in one line": lambda: "fn(1);" * some,
        "operations and declarations": lambda: "fn(1); let {};\n".replace("{}", "a") * few,
        "dollars": lambda: "fn(" + "$.a," * few + "1)",
        "dollars in one template": lambda: "fn(`" + "${$.a}" * few + "`)",
        "a long path": lambda: "fn($" + ".a" * some + ")",
        "names": lambda: "fn(" + ",".join(f"a{n}" for n in range(some)) + ")",
        "declarations": lambda: "".join(f"const a{n} = {n};\n" for n in range(some)),
        "binary": lambda: "x = 1" + " + 1" * some,
        "spaces": lambda: "x =" + " " * scale + "1",
        "half an object": lambda: 'const x = {"a": ' + '{"b": 1}, "c": ' * some,
        "data with a function": lambda: "const x = [" + '{"a": [1, 2, 3]}, ' * some + "() => 1];",
        "data with names": lambda: "const x = [" + '{"a": b}, ' * some + "];",
        "equals signs": lambda: "= [" * some,
        "questions": lambda: "a ? [1, 2] : " * few + "1",
        "comments": lambda: "/**/" * some + "fn()",
        "comments in data": lambda: "const x = [" + "1, // one\n" * some + "];",
        "regular expressions": lambda: "x = " + "/[/*]/.test(a) || " * few + "1;",
        "labels": lambda: "a: " * few + "fn()",
        "stand-ins": lambda: "_data" + "_" * some + " = [1]",
        "private names": lambda: "class A {" + "#a\n\n[k] = 1\n" * few + "}",
        "escapes": lambda: "x`" + "\\u" * few + "`",
        "else": lambda: "if (a) b; else " * few + "c",
        "classes": lambda: "class A { m() { " * few,
        "arrays of holes": lambda: "x = [" + "," * some + "]",
        "signs": lambda: "x = " + "- " * few + "1",
    }
