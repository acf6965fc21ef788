"""Data taken out of a module is the same data, in every respect a program can observe."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import holdfast.engine
from holdfast.compiler import CompiledJob, compile_job
from holdfast.engine.config import node_binary
from holdfast.engine.run.compile_process import module_frames
from holdfast.engine.run.syntax import FLAGS

JAVASCRIPT = Path(holdfast.engine.__file__).parent / "javascript"
SCRIPT = Path(__file__).with_name("evaluate.mjs")

KEYS = st.one_of(
    st.sampled_from(
        ["__proto", "constructor", "toString", "0", "1", "01", "-1", "4294967295", ""]
    ),
    st.text(max_size=6),
)
NUMBERS = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1e308, 5e-324, 2**53 + 1]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=30,
)
PLACES = {
    "variable": "const x = {data};\nexport const probe = () => x;",
    "function": "export const probe = () => { return {data}; };",
    "argument": "const f = (x) => x;\nexport const probe = () => f({data});",
    "property": "const o = { a: 1, b: {data} };\nexport const probe = () => o.b;",
    "element": "const o = [ {data}, 1 ];\nexport const probe = () => o[0];",
    "default": "export const probe = (x = {data}) => x;",
    "choice": "const o = Math ? {data} : 1;\nexport const probe = () => o;",
    "member": "export const probe = () => ({ x: {data}.length }).x ?? 1;",
    "shadowed": "const JSON = { parse: () => 'mine' };\nexport const probe = () => ({data});",
    "changed": "globalThis.JSON.parse = () => 'mine';\nconst x = {data};\n"
    "export const probe = () => x;",
}


def compiled(text: str, place: str) -> tuple[str, CompiledJob]:
    source = PLACES[place].replace("{data}", text)
    job = compile_job(source, hoist_from=1, smallest_literal=1)
    plain = compile_job(source, hoist_from=None)
    return plain.code, job


def differences(pairs: list[tuple[str, CompiledJob]]) -> list[str | None]:
    items = [
        {"plain": plain, "frames": [base64.b64encode(body).decode() for body in frames(job)]}
        for plain, job in pairs
    ]
    done = subprocess.run(
        [node_binary(), *FLAGS, SCRIPT, JAVASCRIPT],
        input=json.dumps(items).encode(),
        stdout=subprocess.PIPE,
        check=True,
        env={},
    )
    found: list[str | None] = json.loads(done.stdout)
    return found


def frames(job: CompiledJob) -> list[bytes]:
    return list(module_frames(0, {"id": "a", "name": "A"}, job))


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(VALUES, st.integers(0, 3), st.booleans()), min_size=20, max_size=40))
def test_both_forms_evaluate_alike(items: list[tuple[Any, int, bool]]) -> None:
    pairs = []
    for number, (value, indent, ascii_only) in enumerate(items):
        text = json.dumps([value, 1], indent=indent or None, ensure_ascii=ascii_only)
        place = list(PLACES)[number % len(PLACES)]
        pairs.append(compiled(text, place))
    assert differences(pairs) == [None] * len(pairs)


@pytest.mark.parametrize(
    "text",
    [
        '{"__proto__": {"a": 1}}',
        '{"a": {"__proto__": null}, "b": 1}',
        '{"\\u005f_proto__": {"a": 1}}',
        '{"__pr\\u006fto__": {"a": 1}}',
        "{'a': 1}",
        "{a: 1}",
        "[1, 2,]",
        "[, 1]",
        "[0x10, 1n]",
        "[+1]",
        "[.5, 1]",
        "[01]",
        "[NaN, 1]",
        "[Infinity]",
        '["a\\x41"]',
        "[1, // c\n2]",
        '{"a": `b`}',
        '["\t"]',
        "[]",
    ],
)
def test_what_is_not_surely_the_same_stays(text: str) -> None:
    source = f"const x = {text};\nfn(x);"
    job = compile_job(source, hoist_from=1, smallest_literal=1)
    assert job.data == []
    assert "holdfast:data" not in job.code


def test_a_large_literal_leaves_its_lines_behind() -> None:
    data = json.dumps({str(n): {"name": "é" * n} for n in range(40)}, indent=2, ensure_ascii=False)
    source = f"const x = {data}; fn(y);\nfn(z);"
    job = compile_job(source, hoist_from=1, smallest_literal=1)
    assert job.code.count("\n") == source.count("\n")
    assert b"".join(job.data_pieces(0)).decode() == data
    lines = source.split("\n")
    column = job.code.split("\n")[len(lines) - 2].index("fn(y)") + 1
    assert job.position(len(lines) - 1, column) == (len(lines) - 1, lines[-2].index("fn(y)") + 1)
    assert [item.once for item in job.data] == [True]


@pytest.mark.parametrize(
    ("source", "once"),
    [
        ("const x = [1, 2];", True),
        ("fn(() => [1, 2], x, [1, 2]);", True),
        ("fn(() => { return [1, 2]; });", False),
        ("for (const a of b) { fn([1, 2]); }", False),
        ("class A { x = [1, 2]; }", False),
        ("each(x, fn({ a: $.a, b: [1, 2] }));", False),
        ("each(x, get(y).then(f([1, 2])));", False),
    ],
)
def test_data_is_kept_as_long_as_it_may_be_read(source: str, once: bool) -> None:
    job = compile_job(source, hoist_from=1, smallest_literal=1)
    assert [item.once for item in job.data] == [once]
