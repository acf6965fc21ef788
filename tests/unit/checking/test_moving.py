"""Data is moved out of code only where the step does the same without it."""

from __future__ import annotations

import json

import pytest

from holdfast.checking.moving import Step
from holdfast.compiler.report import ADVICE_BYTES
from holdfast.platform.web.moving import LARGE

LIST = json.dumps([{"id": f"site-{n}", "beds": n % 7} for n in range(300)])
MAP = json.dumps({f"code-{n}": n for n in range(500)})


def test_the_page_offers_what_the_compiler_advises() -> None:
    assert LARGE == ADVICE_BYTES


def test_a_first_operation_reads_what_a_variable_held() -> None:
    step = Step(f"import x from 'y';\nconst sites = {LIST};\nfn(s => sites.length)\n")
    (data,) = step.data
    assert (data.name, data.line, data.reason, data.declared) == ("sites", 2, "", True)
    moved = step.moved(data, "it's", "sites:")
    assert moved.code == (
        "import x from 'y';\n"
        "fn(async state => {\n"
        "  await collections.each('it\\'s', 'sites:*', (_, value) => {\n"
        "    sites.push(value);\n"
        "  })({ ...state });\n"
        "  return state;\n"
        "});\n"
        "const sites = [];\nfn(s => sites.length)\n"
    )
    assert moved.after == moved.code
    assert moved.before.startswith('import x from \'y\';\nconst sites = [{"id": "site-0"')
    assert len(moved.before) < 200
    assert moved.items[1] == ("sites:site-1", '{"id": "site-1", "beds": 1}')


def test_data_in_a_function_is_new_each_time() -> None:
    step = Step(f"fn(s => s);\nfn(s => {{ const m = {MAP}; m.x = 1; return m; }})")
    moved = step.moved(step.data[0], "m", "")
    assert "const m1 = {};\nfn(async" in moved.code
    assert "m1[key] = value;" in moved.code
    assert "const m = structuredClone(m1); m.x = 1;" in moved.code


@pytest.mark.parametrize("word", ["const", "let", "var"])
def test_a_text_can_grow(word: str) -> None:
    step = Step(f"{word} csv = `{'a,b' * 3000}`;\nfn(s => csv)")
    moved = step.moved(step.data[0], "csv", "")
    assert f"{'let' if word == 'const' else word} csv = '';" in moved.code


@pytest.mark.parametrize(
    "code",
    [
        "const d = {};\nfn(s => d)",
        "const d = {};\nfunction find(x) {{ return d[x] }}\nfn(s => find(1))\nfn(find)",
        "const d = {};\nconst find = x => d[x], again = y => find(y);\neach('$', map(again))",
        "post('/x', {{ body: s => ({}), headers: [] }})",
        "fn(s => {{ const Array = 1; return {} }})",
        "const d = {}, e = 1;\nget('/x', [], s => d)",
        "const d = {};\ncollections.each('x', '*', (s, v, k) => d[k])",
    ],
)
@pytest.mark.parametrize("data", [LIST, MAP])
def test_what_operations_use_is_moved(code: str, data: str) -> None:
    (found,) = Step(code.replace("{}", data).replace("{{", "{").replace("}}", "}")).data
    assert found.reason == ""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("each({}, fn(s => s))", "line 1"),
        ("const d = {};\nconst e = d.map(x => x);\nfn(s => e)", "line 2"),
        ("const d = {};\nconst f = x => d[x];\nconst e = f(1);", "line 3"),
        ("const d = {};\nfunction f() {{ return d }}\n[1].map(f);", "line 3"),
        ("const d = {};\n(() => d)();", "line 2"),
        ("const d = {};\nArray.from([1], () => d);", "line 2"),
        ("const d = {};\nconst op = x => y => x;\nop(s => d);", "line 3"),
        ("const d = {};\nclass A {{ static b = d }}", "line 2"),
        ("const d = {};\nconst o = {{ d }};", "line 2"),
        ("const d = {};\nconst o = {{ ...d }};", "line 2"),
        ("const d = {};\nconst o = {{ r: d[0] }};", "line 2"),
        ("const d = {};\nconst o = {{ ids: d.map(x => x.id) }};", "line 2"),
        ("const d = {};\nconst o = {{ first: () => d[0] }};\npost('/m', o.first())", "line 2"),
        ("const d = {};\nconst o = {{ first() {{ return d }} }};", "line 2"),
        ("const d = {};\n_.forEach([1], () => d);", "line 2"),
        ("const d = {};\nfn(dateFns.format(() => d));", "line 2"),
        ("const {{ a }} = {};\nfn(s => a)", "line 1"),
        ("let d = {};\nif (d) fn(s => d)", "line 2"),
        ("const d = {};\nexport default [fn(s => d)]", "exports"),
        ("const d = {};\nconst fn = x => x;\neach(s => d)", "fn or collections"),
        ("const d = {}, e = 1;\nfn(s => d)", "together"),
    ],
)
def test_what_is_read_while_the_code_is_loaded_stays(code: str, reason: str) -> None:
    data = f"'{'x' * 5000}'" if reason == "together" else LIST
    (found,) = Step(code.replace("{}", data).replace("{{", "{").replace("}}", "}")).data
    assert reason in found.reason


def test_only_what_the_adaptor_calls_an_operation_is_one() -> None:
    def reason(call: str) -> str:
        return Step(f"const d = {LIST};\n{call}(s => d);", ["get"]).data[0].reason

    assert {reason(call) for call in ("get", "fn", "alterState", "collections.each")} == {""}
    assert "line 2" in reason("merge")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("value", "(_, value1, key) => {\n    value[key] = value1;"),
        ("key", "(_, value, key1) => {\n    key1 = key1.slice(2);\n    key[key1] = value;"),
        ("state", "})({ ...state1 });\n  return state1;"),
        ("_", "(_1, value, key) => {\n    _[key] = value;"),
    ],
)
def test_the_new_operation_does_not_hide_the_data(name: str, line: str) -> None:
    step = Step(f"const {name} = {MAP};\nfn(s => {name})")
    code = step.moved(step.data[0], "m", "m:" if name == "key" else "").code
    assert line in code


@pytest.mark.parametrize(
    "start",
    ["{} page /* const */ =", "{} /* a */ p =", "{} voilàx = (", "{}\n// the page\npage ="],
)
def test_the_word_before_a_text_that_grows_is_found(start: str) -> None:
    end = ")" if start.endswith("(") else ""
    step = Step(f"{start.format('const')} `{'é' * 3000}`{end};\nfn(s => s)")
    code = step.moved(step.data[0], "page", "").code
    assert start.format("let") in code


def test_code_that_cannot_be_read_has_no_data() -> None:
    assert Step(f"const d = {LIST}; fn(s => {{").data == []
    assert Step("").data == []
