# ruff: noqa: E501 - jobs are text
"""Two hundred plans of all kinds, always the same, for both workers.

Jobs without an adaptor bring their own operations, so that nothing has to be installed for them.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from holdfast.model.json import Json, JsonObject

COMMON = "@openfn/language-common@3.3.4"


@dataclass(frozen=True)
class Given:
    """One run: a name, its plan, input and credentials."""

    name: str
    plan: JsonObject
    input: Json | bytes = None
    credentials: dict[str, Json | bytes] = field(default_factory=dict)


#: Bodies of one job, by what they are about. All but those that say so need no adaptor.
BODIES: dict[str, str] = {
    "passes": "export default [s => s];",
    "new data": "export default [() => ({ data: { n: 1 } })];",
    "two operations": "export default [s => ({ ...s, a: 1 }), s => ({ ...s, b: s.a + 1 })];",
    "asynchronous": "export default [async s => { await null; return { ...s, late: true }; }];",
    "waits": "export default [s => new Promise(d => setTimeout(() => d({ ...s, w: 1 }), 30))];",
    "nothing": "export default [() => undefined];",
    "null": "export default [() => null];",
    "number": "export default [() => 42];",
    "text": "export default [() => 'words'];",
    "list": "export default [() => [1, { a: 2 }]];",
    "true": "export default [() => true];",
    "no operations": "export default [];",
    "empty": "",
    "comment only": "// nothing",
    "keys removed": "export default [s => ({ ...s, configuration: { a: 1 }, response: 2, x: 3 })];",
    "function in state": "export default [() => ({ data: { f: () => 1, u: undefined, n: 1 } })];",
    "date": "export default [() => ({ data: { at: new Date(0) } })];",
    "not a number": "export default [() => ({ data: { a: NaN, b: Infinity, c: -0 } })];",
    "big integer": "export default [() => ({ data: { n: 2n ** 64n } })];",
    "circle": "export default [() => { const d = { a: 1 }; d.me = d; return { data: d }; }];",
    "map and set": "export default [() => ({ data: { m: new Map([[1, 2]]), s: new Set([1]) } })];",
    "buffer": "export default [() => ({ data: { b: new Uint8Array([1, 2]) } })];",
    "class": "class P { constructor() { this.x = 1; } }\nexport default [() => ({ data: new P() })];",
    "own toJSON": "export default [() => ({ data: { toJSON: () => 'as told' } })];",
    "nested deeply": "export default [() => { let d = {}; for (let i = 0; i < 50; i++) d = { d };"
                     " return { data: d }; }];",
    "unicode": "export default [() => ({ data: { 'ключ': '✓ 日本 🙂', quote: '\"\\\\' } })];",
    "webhook response": "export default [s => ({ ...s, webhookResponse: { status: 202,"
                        " body: { ok: true } } })];",
    "throws an error": "export default [() => { throw new Error('broken'); }];",
    "throws a text": "export default [() => { throw 'broken'; }];",
    "throws an object": "export default [() => { throw { code: 7, message: 'seven' }; }];",
    "throws null": "export default [() => { throw null; }];",
    "rejects": "export default [() => Promise.reject(new Error('rejected'))];",
    "type error": "export default [s => s.a.b.c];",
    "range error": "export default [() => new Array(-1)];",
    "reference error": "export default [() => missing()];",
    "syntax error at run time": "export default [() => JSON.parse('{')];",
    "own error class": "class Mine extends Error {}\nexport default [() => { throw new Mine('m'); }];",
    "error with details": "export default [() => { const e = new Error('d'); e.details = { a: 1 };"
                          " throw e; }];",
    "error with severity": "export default [() => { const e = new Error('d'); e.severity = 'crash';"
                           " throw e; }];",
    "second operation throws": "export default [s => ({ ...s, a: 1 }), () => { throw new Error('2'); }];",
    "no operation": "export default [7];",
    "default is no list": "export default 7;",
    "does not compile": "fn(() => throw 'e')",
    "unclosed": "export default [",
    "illegal eval": "export default [() => eval('1 + 1')];",
    "illegal function": "export default [() => new Function('return 1')()];",
    "forbidden import": "import _ from 'lodash';\nexport default [s => s];",
    "forbidden builtin": "import fs from 'node:fs';\nexport default [s => s];",
    "unknown adaptor module": "import { a } from '@openfn/language-nowhere';\nexport default [s => s];",
    "never returns": "export default [() => new Promise(() => {})];",
    "endless loop": "export default [() => { for (;;) {} }];",
    "late throw": "export default [() => new Promise(() => setTimeout(() => {"
                  " throw new Error('late'); }, 1))];",
    "rejection nobody hears": "export default [() => new Promise(() => {"
                              " Promise.reject(new Error('unheard')); })];",
    "console levels": "export default [s => { console.log('l'); console.info('i');"
                      " console.warn('w'); console.error('e'); console.debug('d'); return s; }];",
    "console of values": "export default [s => { console.log('a', 1, null, true, { b: [1] }, [2]);"
                         " return s; }];",
    "console of nothing": "export default [s => { console.log(); console.log(null);"
                          " console.log(undefined); console.log(''); return s; }];",
    "console of an error": "export default [s => { console.log(new Error('shown')); return s; }];",
    "console of a circle": "export default [s => { const c = {}; c.c = c; console.log(c); return s; }];",
    "console of a function": "export default [s => { console.log(() => 1, Symbol('s')); return s; }];",
    "many lines": "export default [s => { for (let i = 0; i < 40; i++) console.log('line', i);"
                  " return s; }];",
    "long line": "export default [s => { console.log('x'.repeat(20000)); return s; }];",
    "console.success": "export default [s => { console.success('s'); return s; }];",
    "console of state": "export default [s => { console.log(s); return s; }];",
    "state aliases": "export default [s => ({ ...s, references: [...(s.references ?? []), s.data] })];",
    "timers left": "export default [s => { setTimeout(() => {}, 50); return s; }];",
    "number of arguments": "export default [function () { return { n: arguments.length }; }];",
    "names of the world": "export default [() => ({ data: ['process', 'require', 'global',"
                          " 'setTimeout', 'console', 'Buffer'].map(n => [n,"
                          " typeof globalThis[n]]) })];",
    "run id": "export default [() => ({ data: { same: typeof meta } })];",
}  # fmt: skip

#: Bodies that use operations of @openfn/language-common.
COMMON_BODIES: dict[str, str] = {
    "fn": "fn(s => ({ ...s, data: { a: 1 } }));",
    "two fns": "fn(s => ({ ...s, a: 1 }));\nfn(s => ({ ...s, b: s.a }));",
    "each": "each('$.data.items[*]', fn(s => { console.log(s.data); return s; }));",
    "lazy state": "fn(s => ({ ...s, data: { a: 5 } }));\nfn(() => $.data);\nfn(s => s);",
    "promise chain": "fn(s => ({ ...s, n: 1 })).then(s => ({ ...s, n: s.n + 1 }));",
    "caught": "fn(() => { throw new Error('no'); }).catch((e, s) => ({ ...s, caught: true }));",
    "fnIf": "fnIf($.data.yes, s => ({ ...s, chosen: true }));",
    "throws in fn": "fn(() => { throw new Error('inside'); });",
    "type error in fn": "fn(s => s.a.b);",
    "unknown operation": "whatever('x');",
    "import of it": "import { dataValue } from '@openfn/language-common';\nfn(s => ({ data:"
                    " dataValue('a')(s) ?? 'none' }));",
    "variable": "const n = 4;\nfn(() => ({ data: { n } }));",
    "assert": "assert(false, 'must not be');",
}  # fmt: skip


def plans() -> list[Given]:
    """All of them, with names that are unique."""
    found = [*_single(), *_common(), *_graphs(), *_options(), *_inputs(), *_credentials()]
    assert len({given.name for given in found}) == len(found)
    return found


def job(identity: str, body: str, **more: Json) -> JsonObject:
    """A job; without an adaptor if none is given."""
    return {"id": identity, "name": identity.upper(), "body": body, "adaptor": None, **more}


def edge(source: str, target: str, condition: str = "always", **more: Json) -> JsonObject:
    """An edge; a source `t` is the trigger."""
    key = "source_trigger_id" if source == "t" else "source_job_id"
    return {"id": f"{source}-{target}", key: source, "target_job_id": target,
            "condition": condition, "enabled": True, **more}  # fmt: skip


def plan(jobs: list[JsonObject], edges: list[JsonObject], **more: Any) -> JsonObject:
    """A plan that begins at its trigger."""
    options = {"run_timeout_ms": 90_000, **more.pop("options", {})}
    whole = {"triggers": [{"id": "t"}], "jobs": jobs, "edges": edges, "starting_node_id": "t",
             "project_id": "d7d6a3a8-36cb-4c21-a5a1-16e7d1b0e2a1", "options": options,
             **more}  # fmt: skip
    return json.loads(json.dumps(whole))  # type: ignore[no-any-return]


def _one(body: str, **more: Any) -> JsonObject:
    adaptor = more.pop("adaptor", None)
    return plan([job("a", body, adaptor=adaptor)], [edge("t", "a")], **more)


def _single() -> list[Given]:
    endless = {"never returns", "endless loop", "rejection nobody hears"}
    return [
        Given(
            f"job: {name}",
            _one(body, options={"run_timeout_ms": 4000} if name in endless else {}),
            {"data": {"x": 1}},
        )
        for name, body in BODIES.items()
    ]


def _common() -> list[Given]:
    data: Json = {"data": {"items": [1, 2], "yes": True, "a": "A"}}
    return [
        Given(f"common: {name}", _one(body, adaptor=COMMON), data)
        for name, body in COMMON_BODIES.items()
    ]


_MARK = "export default [s => ({ ...s, data: { ...s.data, %s: true } })];"
_FAILS = "export default [() => { throw new Error('no'); }];"
_FAILING = (
    "throws an error", "throws a text", "throws an object", "throws null", "rejects", "type error",
    "range error", "syntax error at run time", "own error class", "error with details",
    "second operation throws", "reference error", "error with severity", "no operation",
    "forbidden import", "illegal eval",
)  # fmt: skip


def _graphs() -> list[Given]:
    def marked(*names: str) -> list[JsonObject]:
        return [job(name, _MARK % name) for name in names]

    ok, bad = "on_job_success", "on_job_failure"
    found = {
        "chain": plan(marked("a", "b", "c"), [edge("t", "a"), edge("a", "b"), edge("b", "c")]),
        "fan": plan(marked("a", "b", "c"), [edge("t", "a"), edge("a", "b"), edge("a", "c")]),
        "diamond": plan(
            marked("a", "b", "c", "d"),
            [edge("t", "a"), edge("a", "b"), edge("a", "c"), edge("b", "d"), edge("c", "d")],
        ),
        "several leaves": plan(
            marked("a", "b", "c", "d"),
            [edge("t", "a"), edge("a", "b"), edge("a", "c"), edge("a", "d")],
        ),
        "two starts": plan(marked("a", "b"), [edge("t", "a"), edge("t", "b")]),
        "starts in the middle": plan(marked("a", "b"), [edge("a", "b")], starting_node_id="b"),
        "starts at a job": plan(marked("a", "b"), [edge("a", "b")], starting_node_id="a"),
        "start unknown": plan(marked("a"), [edge("t", "a")], starting_node_id="zz"),
        "target unknown": plan(marked("a"), [edge("t", "a"), edge("a", "zz")]),
        "circle": plan(marked("a", "b"), [edge("t", "a"), edge("a", "b"), edge("b", "a")]),
        "itself": plan(marked("a"), [edge("t", "a"), edge("a", "a")]),
        "disabled at the trigger": plan(marked("a"), [edge("t", "a", enabled=False)]),
        "disabled between": plan(
            marked("a", "b"), [edge("t", "a"), edge("a", "b", enabled=False)]
        ),
        "no edge": plan(marked("a"), []),
        "no jobs": plan([], []),
        "one leaf is empty": plan(
            [*marked("a", "b"), job("c", "export default [() => ({})];")],
            [edge("t", "a"), edge("a", "b"), edge("a", "c")],
        ),
    }
    for name, first in (("success", _MARK % "a"), ("failure", _FAILS)):
        for condition in (
            ok,
            bad,
            "always",
            "state.data.a",
            "!state.errors",
            "false",
            "!!state.errors",
        ):
            found[f"{condition} after {name}"] = plan(
                [job("a", first), *marked("b")], [edge("t", "a"), edge("a", "b", condition)]
            )
    for name, condition in (
        ("throws", "state.x.y.z"), ("does not parse", "state ===="), ("a number", "1"),
        ("a function", "(s => true)(state)"), ("upstream", "upstreamStepId === 'a'"),
        ("global", "process.exit()"), ("an assignment", "(state.data.b = 1)"),
    ):  # fmt: skip
        found[f"condition {name}"] = plan(
            marked("a", "b"), [edge("t", "a"), edge("a", "b", condition)]
        )
    found["condition at the trigger"] = plan(marked("a"), [edge("t", "a", "state.data.x === 1")])
    found["false at the trigger"] = plan(marked("a"), [edge("t", "a", "state.data.x === 2")])
    found["fails in the middle"] = plan(
        [*marked("a"), job("b", _FAILS), *marked("c")],
        [edge("t", "a"), edge("a", "b"), edge("b", "c")],
    )
    found["crashes in the middle"] = plan(
        [*marked("a"), job("b", "export default [() => missing()];"), *marked("c")],
        [edge("t", "a"), edge("a", "b"), edge("b", "c")],
    )
    found["one leaf fails"] = plan(
        [*marked("a", "b"), job("c", _FAILS)], [edge("t", "a"), edge("a", "b"), edge("a", "c")]
    )
    for name, body in (("nothing", "undefined"), ("null", "null"), ("a number", "3")):
        found[f"after {name}"] = plan(
            [job("a", f"export default [() => {body}];"), job("b", BODIES["passes"])],
            [edge("t", "a"), edge("a", "b")],
        )
    for name in _FAILING:
        found[f"failure path after {name}"] = plan(
            [job("a", BODIES[name]), *marked("b", "c")],
            [edge("t", "a"), edge("a", "b", bad), edge("a", "c", ok)],
        )
    return [Given(f"graph: {name}", whole, {"data": {"x": 1}}) for name, whole in found.items()]


def _options() -> list[Given]:
    noisy = BODIES["console levels"]
    data: Json = {"data": {"x": 1}}
    large = "export default [() => ({ data: 'x'.repeat(300000) })];"
    pair = [job("a", large), job("b", "export default [s => ({ n: s.data.length })];")]
    found = {
        **{f"log level {level}": _one(noisy, options={"job_log_level": level})
           for level in ("none", "debug", "info", "success", "warn", "error", "always")},
        "no dataclips": _one(BODIES["new data"], options={"output_dataclips": False}),
        "dataclips": _one(BODIES["new data"], options={"output_dataclips": True}),
        "out of memory": _one(
            "export default [() => { const all = []; for (;;) all.push(new Array(1e5).fill('x')); }];",
            options={"run_memory_limit_mb": 64, "run_timeout_ms": 30_000},
        ),
        "time is up": _one(BODIES["never returns"], options={"run_timeout_ms": 400}),
        "payload limit": _one(large, options={"payload_limit_mb": 0.1}),
        "payload limit of a chain": plan(pair, [edge("t", "a"), edge("a", "b")],
                                         options={"payload_limit_mb": 0.1}),
        "no payload at all": _one(BODIES["new data"], options={"payload_limit_mb": 0}),
        "log limit": _one("export default [s => { console.log('y'.repeat(3e5)); return s; }];",
                          options={"log_payload_limit_mb": 0.1}),
        "null options": _one(BODIES["passes"], options={"payload_limit_mb": None}),
        "unknown options": _one(BODIES["passes"], options={"whatever": 1}),
        "unknown fields": _one(BODIES["passes"], extra={"a": 1}),
        "named": _one(BODIES["passes"], name="A workflow"),
        "globals": _one("export default [() => ({ data: { g: half(8) } })];",
                        globals="export const half = x => x / 2;"),
        "broken globals": _one(BODIES["passes"], globals="export const ="),
        "state of the job": plan([job("a", BODIES["passes"], state={"data": {"own": 1}, "k": 2})],
                                 [edge("t", "a")]),
        "meta": _one("export default [() => ({ data: { id: typeof meta } })];",
                     meta={"work_order_id": "w", "workflow_id": "f"}),
    }  # fmt: skip
    return [Given(f"option: {name}", whole, data) for name, whole in found.items()]


def _inputs() -> list[Given]:
    values: dict[str, Json | bytes] = {
        "none": None, "empty": {}, "data only": {"data": {"a": 1}}, "no data": {"a": 1},
        "null data": {"data": None}, "list": [1, 2], "number": 3, "text": "words", "true": True,
        "null": b"null", "not JSON": b"{a", "webhook": {"data": {"a": 1}, "request": {"h": 1}},
        "configuration in it": {"data": {}, "configuration": {"a": 1}},
        "errors in it": {"data": {}, "errors": {"a": {"message": "old"}}},
    }  # fmt: skip
    bodies = (("passed on", BODIES["passes"]), ("shown", BODIES["console of state"]))
    return [
        Given(f"input {kind}: {name}", _one(body), value)
        for (name, value), (kind, body) in itertools.product(values.items(), bodies)
    ]


def _credentials() -> list[Given]:
    known, other = "0a4a0d0e-5f0d-4c2a-9c0e-1f6b1d1c0a01", "0a4a0d0e-5f0d-4c2a-9c0e-1f6b1d1c0a02"
    body: Json = {"username": "ada", "password": "hunter2-hunter2", "baseUrl": "https://x.test"}
    show = "export default [s => ({ data: Object.keys(s.configuration ?? {}).sort() })];"
    tell = "export default [s => { console.log(s.configuration.password); return s; }];"

    def whole(code: str, **more: Json) -> JsonObject:
        return plan([job("a", code, **more)], [edge("t", "a")])

    found: dict[str, tuple[JsonObject, dict[str, Json | bytes]]] = {
        "by id": (whole(show, credential_id=known), {known: body}),
        "by name": (whole(show, credential=known), {known: body}),
        "inline": (whole(show, credential={"a": 1, "b": 2}), {}),
        "null body": (whole(show, credential_id=known), {known: None}),
        "unknown": (whole(show, credential_id=other), {known: body}),
        "two steps": (
            plan(
                [job("a", show, credential_id=known), job("b", show, credential_id=known)],
                [edge("t", "a"), edge("a", "b")],
            ),
            {known: body},
        ),
        "shown": (whole(tell, credential_id=known), {known: body}),
        "returned": (
            whole("export default [s => ({ data: s.configuration.password })];",
                  credential_id=known),
            {known: body},
        ),
        "thrown": (
            whole("export default [s => { throw new Error(s.configuration.password); }];",
                  credential_id=known),
            {known: body},
        ),
    }  # fmt: skip
    return [
        Given(f"credential: {name}", made, {"data": {}}, credentials)
        for name, (made, credentials) in found.items()
    ]
