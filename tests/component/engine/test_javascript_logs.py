"""What log lines say, whatever is logged, and what they never say."""

from __future__ import annotations

import base64
import html
import json
import re
from typing import Any
from urllib.parse import quote

import pytest

from holdfast.model.record import Kind
from support.jobs import job, lines, one, run


def logged(expression: str, **more: Any) -> list[Any]:
    """The message of `console.log(<expression>)`."""
    ended = run(job(f"console.log({expression}); export default [s => s]"), **more)
    assert one(ended, Kind.RESULT)["reason"] == "success"
    (message,) = lines(ended, "JOB")
    return message


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1n", "1n"),
        ("NaN", "NaN"),
        ("undefined", "undefined"),
        ("function work() {}", "[Function: work]"),
        ("class Patient {}", "[class Patient]"),
        ("Symbol('s')", "Symbol(s)"),
        ("/a+/g", "/a+/g"),
        ("new Date(NaN)", "Invalid Date"),
        ("new Map([['k', { v: 1 }]])", {"[Map]": [["k", {"v": 1}]]}),
        ("new Set([1, 2])", {"[Set]": [1, 2]}),
        ("Promise.resolve(1)", "[Promise]"),
        ("new TypeError('t')", {"name": "TypeError", "message": "t"}),
        (
            "new Error('outer', { cause: new RangeError('inner') })",
            {
                "name": "Error",
                "message": "outer",
                "cause": {"name": "RangeError", "message": "inner"},
            },
        ),
        (
            "(() => { const o = { n: 1n }; o.me = o; return o; })()",
            {"n": "1n", "me": "[Circular]"},
        ),
        (
            "{ get bad() { throw new Error('no'); }, ok: 1 }",
            {"bad": "[cannot be read: no]", "ok": 1},
        ),
        ("{ toJSON() { throw new Error('no'); } }", "[cannot be shown: no]"),
        ("new Proxy({}, { get() { throw new Error('trap'); } })", "[cannot be shown: trap]"),
        ("Buffer.alloc(5000)", "[Buffer: 5000 bytes]"),
        ("Object.create(null)", {}),
        ("JSON.parse('{\"__proto__\": 1}')", {"__proto__": 1}),
    ],
)
def test_console_of_anything_says_something_useful(expression: str, expected: Any) -> None:
    assert logged(expression) == [expected]


def test_a_long_text_is_cut_with_a_note() -> None:
    (text,) = logged("'x'.repeat(10_000_000)")
    assert text.startswith("xxxx")
    assert text.endswith("… [cut: 10000000 characters in all]")
    assert len(text) < 10_000


def test_a_line_over_the_limit_is_replaced_as_the_platform_expects() -> None:
    expression = "Array(200_000).fill('text')"
    assert logged(expression, options={"log_payload_limit_mb": 0.1}) == [
        "[REDACTED: Message length exceeds payload limit]"
    ]


def test_deep_and_wide_values_end() -> None:
    deep = "(() => { let o = {}; for (let i = 0; i < 1e5; i++) o = { o }; return o; })()"
    assert "[…]" in json.dumps(logged(deep), ensure_ascii=False)
    wide = "Object.fromEntries(Array.from({ length: 150000 }, (_, i) => ['k' + i, i]))"
    (shown,) = logged(wide, options={"log_payload_limit_mb": 4})
    assert shown["…"] == "the rest is cut"


SECRET = 'p@ss "w\\rd" ü'


def forms_of(secret: str) -> list[str]:
    """A secret as programs write it."""
    raw = secret.encode()
    encoded = base64.b64encode(raw).decode()
    return [
        secret,
        encoded,
        encoded.rstrip("="),
        base64.urlsafe_b64encode(raw).decode(),
        base64.b64encode(f"ada:{secret}".encode()).decode(),
        raw.hex(),
        raw.hex().upper(),
        quote(secret, safe="!'()*"),
        quote(secret, safe=""),
        quote(secret, safe="!'()*").replace("%20", "+"),
        quote(quote(secret, safe="!'()*")),
        html.escape(secret),
        json.dumps(secret, ensure_ascii=False)[1:-1],
    ]


def shown(forms: list[str]) -> list[Any]:
    code = "\n".join(f"console.log('<' + {json.dumps(form)} + '>');" for form in forms)
    ended = run(
        job(f"{code} export default []"),
        credentials={"a": {"username": "ada", "password": SECRET}},
    )
    return lines(ended, "JOB")


def test_secrets_are_replaced_in_every_form() -> None:
    forms = forms_of(SECRET)
    found = shown(forms)
    assert [line for (line,) in found if not re.fullmatch(r"<\*\*\*=*>", line)] == []
    assert len(found) == len(forms)


def test_a_secret_inside_a_longer_text_in_base64_is_replaced() -> None:
    for before in ("", "x", "xy", "xyz"):
        whole = base64.b64encode(f"{before}{SECRET}, and more".encode()).decode()
        ((line,),) = shown([whole])
        assert whole[8:16] not in line, before
        assert "***" in line


def test_a_credential_that_came_with_the_input_is_a_secret_too() -> None:
    code = """export default [s => {
        console.log(s.configuration.password);
        throw new Error(s.configuration.password);
    }]"""
    given = {"data": {}, "configuration": {"password": SECRET}}
    ended = run(job(code), input_text=json.dumps(given))
    assert lines(ended, "JOB") == [["***"]]
    assert one(ended, Kind.STEP_COMPLETE)["error_message"] == "***"


def test_a_cut_never_leaves_a_part_of_a_secret() -> None:
    code = f"""const secret = {json.dumps(SECRET)};
        console.log(secret.repeat(2_000_000));
        export default [];"""
    ended = run(job(code), credentials={"a": {"password": SECRET}})
    (line,) = lines(ended, "JOB")
    assert re.fullmatch(r"(\*\*\*)+\**… \[cut: \d+ characters in all\]", line[0]), line[0][-80:]


def test_secrets_are_replaced_in_objects_keys_numbers_and_errors() -> None:
    code = """
        console.log({ deep: [{ k: 'tok-12345' }] }, { 'tok-12345': 1 }, 987654,
            new Error('tok-12345'));
        export default [s => { throw new TypeError('refused: tok-12345'); }]"""
    ended = run(
        job(code),
        credentials={"a": {"nested": {"token": "tok-12345"}, "pins": [987654, True, ""]}},
    )
    assert lines(ended, "JOB") == [
        [{"deep": [{"k": "***"}]}, {"***": 1}, "***", {"name": "Error", "message": "***"}]
    ]
    complete = one(ended, Kind.STEP_COMPLETE)
    assert complete["error_message"] == "TypeError: refused: ***"
    assert not any(b"tok-12345" in body for _, body in ended.frames)


def test_what_is_no_secret_stays_readable() -> None:
    body = {"username": "ada", "host": "db.example.org", "port": 80, "flag": True, "pin": "123"}
    ended = run(job("console.log('ada@db.example.org:80 true 123'); export default []"),
                credentials={"a": body})  # fmt: skip
    assert lines(ended, "JOB") == [["ada@db.example.org:80 true 123"]]


def test_the_host_console_and_streams_are_the_adaptors() -> None:
    # what an adaptor does, reached from a job through an object of the host's realm
    code = """export default [s => {
        const process = s.constructor.constructor('return process')();
        const console = s.constructor.constructor('return console')();
        console.warn('from', { an: 'adaptor' });
        process.stdout.write('half '); process.stdout.write('line\\n');
        process.stderr.write('no end');
        console.table([{ a: 1 }]);
        return s; }]"""
    ended = run(job(code))
    assert lines(ended, "ADA")[:2] == [["from", {"an": "adaptor"}], ["half line"]]
    assert lines(ended, "ADA")[-1] == ["no end"]
    assert any("│" in str(line) for line in lines(ended, "ADA"))
    assert not ended.plain


def test_levels_and_steps_of_lines() -> None:
    code = """console.debug('no'); console.warn('yes');
        console.print('p'); export default [s => s]"""
    ended = run(job(code), options={"job_log_level": "default"})
    assert lines(ended, "JOB") == [["yes"], ["p"]]
    step = one(ended, Kind.STEP_START)["step_id"]
    of = {str(body["message"][0]): body.get("step_id") for body in ended.bodies(Kind.LOG)}
    assert of["yes"] == step
    assert of["Starting step a"] is None


@pytest.mark.parametrize(
    ("level", "seen"),
    [
        ("debug", "debug info log success always warn error"),
        ("info", "info log success always warn error"),
        ("log", "info log success always warn error"),
        ("success", "success always warn error"),
        ("warn", "success always warn error"),
        ("always", "success always warn error"),
        ("none", "error"),
        ("error", "error"),
        ("none-really", ""),
    ],
)
def test_the_level_of_a_job_lets_through_what_it_does_there(level: str, seen: str) -> None:
    calls = "".join(f"console.{name}('{name}');" for name in
                    ("debug", "info", "log", "success", "always", "warn", "error"))  # fmt: skip
    ended = run(job(f"{calls} export default [s => s]"), options={"job_log_level": level})
    assert lines(ended, "JOB") == [[name] for name in seen.split()]


def test_where_nothing_answered_can_be_read() -> None:
    body = {"server": "db.internal", "port": 5432, "domain": "corp.example", "apiPath": "/v2/api"}
    text = "Failed to connect to db.internal:5432 corp.example/v2/api"
    ended = run(job(f"console.log('{text}'); export default []"), credentials={"a": body})
    assert lines(ended, "JOB") == [[text]]


def test_a_job_knows_its_run_and_cannot_change_what_it_knows() -> None:
    code = """export default [s => {
        const tried = [];
        for (const change of [() => { meta.runId = 'x'; }, () => { meta.more = 1; },
                              () => { globalThis.meta = {}; }]) {
          try { change(); tried.push('done'); } catch (error) { tried.push(error.name); } }
        return { data: [{ ...meta, startTime: typeof meta.startTime }, tried] }; }]"""
    again = {"id": "b", "expression": "export default [s => ({ data: [s.data[0], meta.runId] })]"}
    known = {"workOrderId": "w", "workflowId": "f", "projectId": "p"}
    ended = run(job(code, next={"b": True}), again, options={"meta": known, "run_id": "run-1"})
    first, second = (json.loads(body["output"]["inline"])["data"]
                     for body in ended.bodies(Kind.STEP_COMPLETE))  # fmt: skip
    assert first[0] == {"runId": "run-1", "startTime": "number", **known}
    assert first[1][:2] == ["TypeError", "TypeError"]
    assert second[1] == "run-1"


def test_a_console_cannot_carry_anything_to_the_next_step() -> None:
    first = job("try { console.x = 1 } catch {} ; console.log.x = 1; export default [s => s]",
                next={"b": True})  # fmt: skip
    second = {
        "id": "b",
        "expression": "export default [s => ({ data: [console.x, console.log.x] })]",
    }
    complete = run(first, second).bodies(Kind.STEP_COMPLETE)[1]
    assert json.loads(complete["output"]["inline"]) == {"data": [None, None]}
