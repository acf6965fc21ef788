"""Failures made on purpose, each labelled with whose turn it is before it is made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from holdfast.model.json import JsonObject
from support.mistakes import HTTP, Mistake

_STATE: JsonObject = {
    "data": {
        "patient": {"name": "Ada", "born": "1990-02-01"},
        "facility": {"code": "KE-1", "beds": 20},
        "visits": [{"at": "2026-01-02", "weight": 61.5}],
        "orgUnit": {"id": "x7", "level": 3},
        "results": [{"code": "8480-6", "value": 120}],
    }
}
_CREDENTIAL: JsonObject = {"baseUrl": "URL", "username": "ada", "password": "made-up-1"}


def failures() -> list[Mistake]:
    """All but those of Holdfast itself; `turn` is the label."""
    makers = {"author": author, "data": data, "system": system, "operator": operator}
    return [
        Mistake(f"{turn} {number}", code, "", turn, "", "", **{"state": _STATE, **more})
        for turn, make in makers.items()
        for number, (code, more) in enumerate(make(), 1)
    ]


def author() -> Iterator[tuple[str, dict[str, Any]]]:
    """What only whoever wrote the workflow can mend."""
    for name in (
        "gett",
        "psot",
        "reqest",
        "fnn",
        "eachh",
        "feilds",
        "mergee",
        "dataValeu",
        "patchh",
        "combin",
    ):
        yield f"{name}('/x', s => s);", {"adaptor": HTTP}
    for key in ("pateint", "facilty", "vists", "orgunit", "result"):
        yield f"fn(s => ({{ ...s, n: s.data.{key}.name }}));", {}
        yield f"fn(state => {{\n  const x = state.data.{key};\n  return {{ x: x.id }};\n}});", {}
    for module in ("lodash", "axios", "fs", "moment"):
        yield f"const m = require('{module}');\nfn(s => s);", {}
        yield f"import m from '{module}';\nfn(s => m(s));", {}
    for text in (
        "fn(s => {",
        "fn(s => s));",
        "fn(s => { let 1x = 2; return s; });",
        "fn(state => { return { a: 1, }};",
        "fn(async s => { await; return s; });",
    ):
        yield text, {}
    for use in (
        "lodash.get(s, 'data')",
        "moment()",
        "axios.get('/x')",
        "process.env.X",
        "patients",
    ):
        yield f"fn(s => ({{ ...s, x: {use} }}));", {}
    for condition in ("state.data >", "state.data.x.y.z > 1", "nosuch === 1", "if (state) true"):
        yield "fn(s => s);", {"step": {"next": {"b": {"condition": condition}}}}
    for body in (
        "s.data.map(x => x)",
        "s.data.patient()",
        "s.data.visits.name.first",
        "s.nothing.at.all",
        "undefinedThing",
        "null.x",
        "s.patient.name",
    ):
        yield f"fn(s => ({{ ...s, r: {body} ?? missing }}));", {}
    for body in ("while (true);", "for (let i = 0; i >= 0; i += 0);"):
        yield f"fn(s => {{ {body} return s; }});", {"timeout": 1.5}
    yield "fn(s => { const n = 1; n = 2; return s; });", {}
    yield "fn(s => eval('1'));", {}
    yield "console.log('no operation');", {}
    yield "const f = n => f(n + 1);\nfn(() => f(0));", {}


def data() -> Iterator[tuple[str, dict[str, Any]]]:
    """What came in, or what was sent on, is not what the code is for."""
    for key in ("address", "guardian", "insurance", "district", "phone", "village"):
        yield f"fn(s => ({{ ...s, n: s.data.{key}.city }}));", {}
        yield f"fn(s => ({{ ...s, n: s.data.patient.{key}.toUpperCase() }}));", {}
        yield f"fn(s => ({{ ...s, n: s.data.visits[0].{key}.length }}));", {}
    for text in ("<html>", "{broken", "", "undefined", "a,b\\n1,2"):
        yield f"fn(s => ({{ ...s, data: JSON.parse('{text}') }}));", {}
    for place in ("patient.died", "visits[3]?.at", "facility.opened"):
        yield f"fn(s => ({{ d: new Date(s.data.{place}).toISOString() }}));", {}
    for status in (400, 409, 412, 415, 422):
        yield f"post('URL/{status}', $.data.patient);", {"adaptor": HTTP}
        yield f"put('/{status}', $.data.patient);", {"adaptor": HTTP, "credential": _CREDENTIAL}


def system() -> Iterator[tuple[str, dict[str, Any]]]:
    """The other system does not do what it should."""
    for status in (429, 500, 501, 502, 503, 504, 507, 508, 509, 511, 520, 529):
        yield f"get('URL/{status}');", {"adaptor": HTTP}
        yield f"post('/{status}', {{}});", {"adaptor": HTTP, "credential": _CREDENTIAL}
        yield f"fn(s => s);\nget('URL/{status}').then(s => s);", {"adaptor": HTTP}
    for call in ("get('URL/reset');", "post('URL/reset', $.data);", "del('URL/reset', {});"):
        yield call, {"adaptor": HTTP}
    for path in ("reset", "half"):
        yield f"fn(async s => {{ await (await fetch('URL/{path}')).text(); return s; }});", {}
    for port in (2, 3, 4, 5, 6, 8):
        yield f"get('http://127.0.0.1:{port}/');", {"adaptor": HTTP}
        yield f"fn(async s => {{ await fetch('http://127.0.0.1:{port}/'); return s; }});", {}
    for call in ("get('URL/slow');", "post('URL/slow', {});"):
        yield call, {"adaptor": HTTP, "timeout": 1.5}
    yield "fn(async s => { await fetch('URL/slow'); return s; });", {"timeout": 1.5}


def operator() -> Iterator[tuple[str, dict[str, Any]]]:
    """Whoever runs the worker, or keeps its credentials, has to do something."""
    for status in (401, 403, 407):
        yield f"get('URL/{status}');", {"adaptor": HTTP}
        yield f"post('/{status}', {{}});", {"adaptor": HTTP, "credential": _CREDENTIAL}
        yield f"get('/{status}');\nfn(s => s);", {"adaptor": HTTP, "credential": _CREDENTIAL}
    for policy in ("none", "public", "lan"):
        for path in ("a", "b?c=1", "d/e"):
            yield f"get('URL/{path}');", {"adaptor": HTTP, "egress": policy}
            yield f"fn(async s => {{ await fetch('URL/{path}'); return s; }});", {"egress": policy}
            yield f"post('URL/{path}', $.data);", {"adaptor": HTTP, "egress": policy}
