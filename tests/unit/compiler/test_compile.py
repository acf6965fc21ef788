"""What compile_job gives: positions, operations, errors, report."""

from __future__ import annotations

import json

import pytest

from holdfast.compiler import AdaptorExports, CompileError, compile_job
from holdfast.compiler.declarations import adaptor_exports

COMMON = AdaptorExports("@openfn/language-common", ["fn", "each", "get"])


def author_text_at(source: str, code: str, word: str, line: int, column: int) -> str:
    lines = source.split("\n")
    assert word in code
    return lines[line - 1][column - 1 : column - 1 + len(word)]


def test_operations_at_the_end_keep_their_lines() -> None:
    source = "const a = 1;\n\nfn(s => {\n  return a;\n})\n\neach(b);\n// end"
    job = compile_job(source, [COMMON])
    for number, line in enumerate(source.split("\n")):
        assert line.rstrip(";)") in job.code.split("\n")[number]


def test_every_position_is_the_authors() -> None:
    source = (
        "fn(first,\n  FIRST);\nconst a = HERE;\nget('/x').catch(\n  HANDLER\n).then(THEN);\n"
        "get($.é, { q: PARAM, r: $.r });\nlet b = BETWEEN\neach($.x, LAST)"
    )
    job = compile_job(source, [COMMON])
    for word in ("FIRST", "HERE", "HANDLER", "THEN", "PARAM", "BETWEEN", "LAST"):
        lines = job.code.split("\n")
        row = next(index for index, line in enumerate(lines) if word in line)
        line, column = job.position(row + 1, lines[row].index(word) + 1)
        assert author_text_at(source, job.code, word, line, column) == word


def test_operations_are_told_as_they_stand() -> None:
    job = compile_job("fn(1);\nconst a = 1;\n  http.get(2);\nget(3)\n  .then(b);\n(each)(4)")
    told = [(item.order, item.line, item.column, item.name) for item in job.operations]
    assert told == [(1, 1, 1, "fn"), (2, 3, 3, None), (3, 4, 1, "get"), (4, 6, 1, "each")]
    assert [item.deferred for item in job.operations] == [False, False, True, False]


@pytest.mark.parametrize(
    ("source", "message", "line", "column"),
    [
        ("fn(1);\nconst x = $.a;", "Must be inside an operation", 2, 11),
        ("fn(x => $.a)", 'parameter "x" should be called "state"', 1, 4),
        ("fn(...$.a)", "cannot be spread", 1, 7),
        ("fn(await $.a)", "cannot wait", 1, 4),
        ("get(1).then(await x)", "cannot wait", 1, 13),
        ("const x = 1;\nexport { x as default };\nfn(1)", "default of its own", 2, 10),
    ],
)
def test_errors_name_the_place(source: str, message: str, line: int, column: int) -> None:
    with pytest.raises(CompileError, match=message.replace('"', ".")) as caught:
        compile_job(source, name="Send")
    error = caught.value
    assert (error.line, error.column, error.name) == (line, column, "Send")
    assert str(error).startswith(f"Send: {error.message} ({line}:{column})\n")
    assert (error.excerpt or "").split("\n")[1] == " " * (column - 1) + "^"


def test_a_taken_helper_name_is_refused() -> None:
    with pytest.raises(CompileError, match="_defer"):
        compile_job("const _defer = 1;\nget(1).then(x)")


def test_a_captured_name_is_warned_of() -> None:
    job = compile_job("const p = 1;\nget(1).then(x => x + p).then(p => p);")
    (warning,) = job.report.warnings
    assert warning.startswith("HF1023  The name p on line 2 means the promise of the chain")
    assert [(item.code, item.line, item.column) for item in job.warned] == [("HF1023", 2, 22)]
    assert compile_job("get(p).then(p => p).catch(({ p }) => p);").report.warnings == []


def test_the_report_names_large_data_once() -> None:
    data = json.dumps([{"n": n} for n in range(30_000)])
    job = compile_job(f"const small = [1];\nconst table = {data};\nfn(1);", name="A")
    report = job.report.to_json()
    assert report["data"] == [
        {
            "name": "table",
            "count": 1,
            "bytes": len(data),
            "first_line": 2,
            "last_line": 2,
            "hoisted_bytes": len(data),
        }
    ]
    first, second = job.report.advice()
    assert f"table (line 2, {len(data) / 1000:.0f} KB)" in first
    assert "Collection" in second
    quiet = compile_job(f"const table = {data};", advice_bytes=10_000_000)
    assert quiet.report.advice() == []


def test_small_data_is_no_matter() -> None:
    assert compile_job("const a = { b: 1 };\nfn(a);").report.advice() == []


def test_what_cannot_be_read_is_left_as_it_is() -> None:
    job = compile_job("fn(1;\n")
    assert job.doubt is not None
    assert job.code == job.check == "fn(1;\n"
    assert job.syntax_error("missing )", 1, 5).excerpt == "fn(1;\n    ^"


@pytest.mark.parametrize("types", ["index.d.ts", "./index.d.ts", "types/../index.d.ts"])
def test_declarations_are_found_where_the_package_says(types: str) -> None:
    files = {"index.d.ts": "export function a(): void;\nexport const b: 1;"}
    assert adaptor_exports(json.dumps({"types": types}), files.get) == ["a"]


NO_FILES: dict[str, str] = {}


def test_broken_packages_are_told() -> None:
    for manifest in (None, "{", '{"types": "gone.d.ts"}'):
        with pytest.raises(CompileError):
            adaptor_exports(manifest, NO_FILES.get)
    assert adaptor_exports("[]", NO_FILES.get) == []


@pytest.mark.parametrize("exports", [[], ["fn", "each", "get"], ["get", "idempotent"]])
def test_the_mark_is_ours_unless_an_adaptor_has_one_of_this_name(exports: list[str]) -> None:
    source = "idempotent($.id, get('/x'));\nget(s => idempotent($.id, get('/y'))(s));"
    job = compile_job(source, [AdaptorExports("@openfn/language-common", exports)])
    [imported] = [line for line in job.code.split("\n") if "import {" in line]
    assert ("idempotent" in imported.split("}")[0]) == ("idempotent" in exports)
    assert job.code.count("idempotent(state => (state.id)") == 2
    assert list(job.report.warnings) == []
    assert job.unknown == []
