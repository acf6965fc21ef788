"""The compiler against the recorded cases, a second opinion, and texts nobody recorded."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance import compiler
from conformance.generate import Generator
from conformance.hostile import hostile
from conformance.invariants import compiled, examine
from conformance.line_ends import line_ends
from conformance.recorded import recorded
from holdfast.compiler import CompiledJob


def test_recorded_cases() -> None:
    assert compiler.run(recorded("compiler-cases.json"), "--operations") == []


def test_recorded_cases_with_data_taken_out() -> None:
    cases = recorded("compiler-cases.json")
    results = compiler.results_of(cases, smallest_literal=8, hoist_from=None)
    assert compiler.compare(cases, results, "--operations")[0] == []


def test_a_wrong_module_fails() -> None:
    first = recorded("compiler-cases.json")[0]
    results = compiler.results_of([first])
    results[first["id"]]["code"] += "\nfn(1);"
    assert len(compiler.compare([first], results)[0]) == 1


def test_recorded_declarations() -> None:
    assert compiler.run_declarations(recorded("compiler-dts-cases.json")) == []


def test_errors_are_on_the_recorded_line() -> None:
    failures = compiler.run(recorded("compiler-cases.json"), "--lines")
    # V8 reports an unterminated template at the end of the text.
    assert [line.split()[0] for line in failures] == ["C320"]


def test_line_ends() -> None:
    findings, sound = examine(line_ends()[::9])
    assert findings == []
    assert sound > 200


ODD = [
    "get().catch(a, b).then(c)\nfn(1)",
    "(\nget().then // x\n)(a)\n(\n get().then(a)\n).then(b)",
    "(get()?.then)(a)",
    "fn(\u00a0$.list.join($.sep)); fn($.f().g($.a))",
    "fn(1) /* over\u2028lines */ get(2)",
    "fn(1)\u3000\nget(2)\u2003\nget(3)\ufeff\nx = /\u3000/",
    "export * as default from 'x'",
    "fn(1)\nexport * as ns from 'x'",
]


def test_odd_texts_are_read_as_acorn_reads_them() -> None:
    findings, sound = examine(ODD)
    assert (findings, sound) == ([], len(ODD))
    jobs = [compiled(text) for text in ODD]
    assert [job.doubt for job in jobs if isinstance(job, CompiledJob)] == [None] * len(ODD)


def test_small_hostile_texts() -> None:
    texts = [make() for make in hostile(400).values()]
    findings, _ = examine([text for text in texts if isinstance(text, str)])
    assert findings == []


@pytest.mark.parametrize("name", hostile())
def test_hostile_texts_end_in_an_answer(name: str) -> None:
    text = hostile(60_000)[name]()
    job = compiled(text if isinstance(text, str) else text.decode("utf-8", "replace"))
    if isinstance(job, CompiledJob):
        assert sum(map(len, job.code_pieces())) == job.code_bytes


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 1 << 32))
def test_generated_texts(seed: int) -> None:
    generator = Generator(seed)
    findings, _ = examine([generator.source() for _ in range(40)], seed)
    assert findings == []


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="${}[]()`'\"\\/*;,.=>\n\r\u2028 ab1#\0\ud800é", max_size=60))
def test_any_text_ends_in_an_answer(text: str) -> None:
    compiled(text)
