"""A promise whose value is used before it is there."""

from __future__ import annotations

import pytest

from holdfast.diagnosis.diagnose import diagnose
from holdfast.diagnosis.ending import Ending

READ = "TypeError: Cannot read properties of undefined (reading 'length')"


def told(code: str, message: str, at: str) -> str:
    last = code.rpartition("\n")[2]
    position = {"line": 1, "column": last.index(at) + len(at) + 1}
    found = diagnose(
        Ending("fail", "RuntimeError", message, position=position, facts={"code": code})  # type: ignore[arg-type]
    )
    assert found is not None
    return f"{found.code} {found.what}"


@pytest.mark.parametrize(
    ("code", "name", "call"),
    [
        ("const b = response.json();\nb.items.", "b", "response.json()"),
        ("const r = fetch('/x');\nr.body.", "r", "fetch('/x')"),
        ("const r = await fetch('/x'); const b = r.json();\nb.items.", "b", "r.json()"),
        ("let d = ask(1).then(r => r);\nd.items.", "d", "ask(1).then(r => r)"),
        ("const load = async u => u; const p = load(1);\np.items.", "p", "load(1)"),
    ],
)
def test_a_call_without_await_is_named(code: str, name: str, call: str) -> None:
    said = told(code + "length", READ, code.rpartition("\n")[2])
    begin = f"HF1128 {name} is a promise, and not yet what it gives: {call} was"
    assert said.startswith(begin)


def test_a_promise_that_is_gone_through_is_named() -> None:
    code = "const list = fetch('/x').then(r => r.json());\nfor (const x of list)"
    said = told(code, "TypeError: list is not iterable", "list")
    assert said.startswith("HF1128 list is a promise")


@pytest.mark.parametrize(
    "code",
    [
        # other things have methods of these names
        "const text = element.text();\ntext.items.",
        "const b = form.json();\nb.items.",
        "const form = pick(1); const b = form.json();\nb.items.",
        # the name means something else by now
        "let b = fetch('/x');\nb = await b;\nb.items.",
        "const b = fetch('/x');\nfn(s => s.data.map(b => b.items.",
        "const b = fetch('/x');\nfn((s, b) => b.items.",
        "fn(s => { const b = fetch('/x'); return b; });\nfunction go(b) { return b.items.",
        "fn(s => { const b = fetch('/x'); });\nfn(s => { const b = s.data; return b.items.",
        "fn(s => { const b = fetch('/x'); });\nfn(s => { const { b } = s.data; return b.items.",
        # not every function of this name is async, and a generator gives no promise
        "const load = async u => u;\nfn(s => { const load = u => u; const b = load(1);\nb.items.",
        "const load = async function* (u) {};\nconst b = load(1);\nb.items.",
        "const b = store.then;\nb.items.",
    ],
)
def test_what_may_be_no_promise_is_not_called_one(code: str) -> None:
    assert not told(code + "length", READ, code.rpartition("\n")[2]).startswith("HF1128")


def test_one_that_was_awaited_is_not_blamed() -> None:
    code = "const b = await response.json();\nb.items.length"
    assert told(code, READ, "b.items.").startswith("HF1102")
