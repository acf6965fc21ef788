"""Typical mistakes of people who write workflows: what they do, and what must be said of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from holdfast.model.json import JsonObject

COMMON = "@openfn/language-common@3.3.4"
HTTP = "@openfn/language-http@7.2.10"
FHIR = "@openfn/language-fhir@5.0.15"
COLLECTIONS = "@openfn/language-collections@0.8.0"


@dataclass(frozen=True, slots=True)
class Mistake:
    """`says`: words that name the cause, `change`: words that name what to do. `URL` in the code
    and in the credential is the address of a local server."""

    name: str
    code: str
    expected: str
    turn: str
    says: str
    change: str
    state: JsonObject = field(default_factory=dict)
    adaptor: str = COMMON
    credential: JsonObject | None = None
    step: JsonObject = field(default_factory=dict)
    egress: str = "open"
    timeout: float = 60
    memory: int = 200


PATIENT: JsonObject = {"data": {"patient": {"name": "Ada"}, "items": [{"id": 1}]}}

SITE = '{"id":"site-%d","name":"Clinic of the upper village","district":"Bo"}'

FAILURES = (
    Mistake("unknown function", "fn(s => s);\ngett('/x');", "HF1002", "author", "gett", "get",
            adaptor=HTTP),
    Mistake("operation of another adaptor", "post('/x', {});", "HF1002", "author", "post", "http"),
    Mistake("missing import", "fn(s => ({ ...s, x: _.get(s, 'data') }));", "HF1003", "author",
            "lodash", "plain JavaScript", adaptor=HTTP),
    Mistake("require", "const _ = require('lodash');\nfn(s => s);", "HF1004", "author", "require",
            "Remove the line"),
    Mistake("forbidden import", "import _ from 'lodash';\nfn(s => s);", "HF1005", "author", "lodash",
            "Remove the import"),
    Mistake("wrong export", "import { gett } from '@openfn/language-http';\nfn(s => s);", "HF1006",
            "author", "gett", "Write get", adaptor=HTTP),
    Mistake("dollar at the top", "const x = $.data.name;\nfn(s => s);", "HF1007", "author",
            "no operation runs", "fn(state"),
    Mistake("dollar in a function", "fn(s => ({ ...s, n: $.data.name }));", "HF1008", "author",
            'called "s"', "state.data"),
    Mistake("node's process", "fn(s => ({ ...s, t: process.env.TOKEN }));", "HF1010", "author",
            "Node.js", "state.configuration"),
    Mistake("eval", "fn(s => eval('1 + 1'));", "HF1011", "author", "eval", "JSON.parse"),
    Mistake("bad pattern", "fn(s => ({ ...s, x: new RegExp('([') }));", "HF1012", "author",
            "Unterminated character class", "backslash"),
    Mistake("constant changed", "fn(s => { const n = 0; n = 1; return s; });", "HF1013", "author",
            "constant", "let"),
    Mistake("no operation", "console.log('x');", "HF1014", "author", "Statement 1", "fn(state"),
    Mistake("syntax", "fn(state => { return state;", "HF1001", "author", "Unexpected end of input",
            "bracket"),
    Mistake("misspelled key", "fn(state => ({ n: state.data.pateint.name }));", "HF1101", "author",
            "state.data.pateint is undefined", "state.data.patient", PATIENT),
    Mistake("misspelled key through names",
            "fn(s => {\n  const d = s.data;\n  return { n: d.pateint\n    .name };\n});", "HF1101",
            "author", "state.data.pateint", "state.data.patient", PATIENT),
    Mistake("missing data", "fn(state => ({ n: state.data.address.city }));", "HF1102", "data",
            "state.data.address is undefined", "?.", PATIENT),
    Mistake("no return", "fn(state => { state.x = 1; });\nfn(s => ({ ...s, n: s.data.patient }));",
            "HF1103", "author", "Operation 1 (fn) returned nothing", "return state", PATIENT),
    Mistake("function as a result", "fn(state => post('/x', {}));", "HF1107", "author",
            "a function instead of state", "(state)", adaptor=HTTP),
    Mistake("too deep", "fn(s => { let x = {}; for (let i = 0; i < 200000; i++) x = { x }; "
            "return { x }; });", "HF1108", "author", "nested too deeply", "less deeply"),
    Mistake("no function", "fn(s => ({ x: s.data.map(i => i.id) }));", "HF1110", "author",
            "s.data.map", "s.data.items", PATIENT),
    Mistake("no list", "fn(s => { for (const x of s.data) x(); return s; });", "HF1111", "author",
            "s.data", "s.data.items", {"data": {"items": []}}),
    Mistake("not JSON", "fn(s => JSON.parse('<html>'));", "HF1112", "data", "not valid JSON", "HTML"),
    Mistake("endless recursion", "const f = n => f(n + 1);\nfn(s => f(0));", "HF1113", "author",
            "calls itself", "an end"),
    Mistake("bad date", "fn(s => ({ d: new Date(s.data.none).toISOString() }));", "HF1114", "data",
            "Invalid time value", "date"),
    Mistake("own error", "fn(s => { throw new Error('no patient'); });", "HF1115", "author",
            "no patient", "on_job_failure"),
    Mistake("thrown text", "fn(s => { throw 'boo'; });", "HF1116", "author", "a text", "new Error"),
    Mistake("nobody waited", "fn(s => { Promise.reject(new Error('late')); return new Promise(r => "
            "setTimeout(r, 2000, s)); });", "HF1117", "author", "late", "await"),
    Mistake("never settled", "fn(s => new Promise(() => {}));", "HF1118", "author", "settle",
            "resolve"),
    Mistake("order of lines", "fn(s => s);\nconst ids = state.data.items.rows.map(i => i.id);",
            "HF1120", "author", "before the first operation", "into an operation"),
    Mistake("bad condition", "fn(s => s);", "HF1121", "author", "from a to b", "one expression",
            step={"next": {"b": {"condition": "state.data >"}}}),
    Mistake("condition throws", "fn(s => s);", "HF1122", "author", "from a to b", "state.data?.x?.y > 1",
            step={"next": {"b": {"condition": "state.data.x.y > 1"}}}),
    Mistake("no such step", "fn(s => s);", "HF1123", "author", "nowhere", "edge",
            step={"next": {"nowhere": True}}),
    Mistake("credential without a key", "fn(s => ({ x: s.configuration.auth.token }));", "HF1202",
            "author", "auth", "auth", credential={"ath": "secret-value-1"}),
    Mistake("no credential", "fn(s => ({ x: s.configuration.auth.token }));", "HF1201", "author",
            "needs a credential", "credential"),
    Mistake("address without a host", "get('/patients');", "HF1201", "author", "credential",
            "baseUrl", adaptor=FHIR),
    Mistake("egress", "fn(async s => { await fetch('URL/ok'); return s; });", "HF1301", "operator",
            "egress policy", "--egress", egress="public"),
    Mistake("DNS", "fn(async s => { await fetch('http://nosuch.invalid/'); return s; });", "HF1302",
            "author", "nosuch.invalid", "spelling"),
    Mistake("TLS", "fn(async s => { await fetch('TLSURL/'); return s; });", "HF1303", "system",
            "certificate", "NODE_EXTRA_CA_CERTS"),
    Mistake("refused", "fn(async s => { await fetch('http://127.0.0.1:2/'); return s; });", "HF1304",
            "system", "127.0.0.1:2", "port"),
    Mistake("relative address", "fn(async s => { await fetch('/x'); return s; });", "HF1307",
            "author", "/x", "https://"),
    Mistake("misspelled list for each", "each($.data.itmes, fn(s => s));", "HF1101", "author",
            "state.data.itmes", "state.data.items", state=PATIENT),
    Mistake("callback that gives each nothing", "each('$.data.items[*]', s => { s.x = 1; });",
            "HF1126", "author", "returned nothing", "return state",
            state={"data": {"items": [1, 2]}}),
    Mistake("object for fn", "fn({ a: 1 });", "HF1127", "author", "a function", "fn(state"),
    Mistake("path without host", "get('/x');", "HF1307", "author", "baseUrl", "https://",
            adaptor=HTTP),
    Mistake("401", "get('URL/401');", "HF1308", "operator", "401", "token", adaptor=HTTP),
    Mistake("401 with a credential", "get('URL/401');", "HF1308", "operator", "does not accept",
            "run out", adaptor=HTTP, credential={"username": "jo", "password": "secret-value-1"}),
    Mistake("403", "get('URL/403');", "HF1308", "operator", "does not allow this", "the right there",
            adaptor=HTTP),
    Mistake("404", "get('URL/404');", "HF1309", "author", "404", "path", adaptor=HTTP),
    Mistake("422", "post('URL/422', { a: 1 });", "HF1310", "data", "422", "Mend the data",
            adaptor=HTTP),
    Mistake("429", "get('URL/429');", "HF1311", "system", "429", "Wait", adaptor=HTTP),
    Mistake("503", "get('URL/503');", "HF1312", "system", "503", "Retry later", adaptor=HTTP),
    Mistake("slow request", "fn(async s => { await fetch('URL/slow'); return s; });", "HF1401",
            "system", "waiting", "--timeout", timeout=1.5),
    Mistake("endless loop", "fn(s => s);\nfn(s => { let n = 0; while (n >= 0) { n += 0; } return s; });",
            "HF1402", "author", "line 2 was running", "what ends it", timeout=1.5),
    Mistake("out of memory", "fn(s => { const x = []; for (;;) x.push(new Array(1e5).fill(n()));"
            " function n() { return Math.random(); } });", "HF1403", "author", "more memory",
            "batches", memory=80),
    Mistake("large data in the code",
            f"const sites = [{','.join(SITE % number for number in range(200_000))}];\n"
            "fn(s => ({ ...s, n: sites.length }));", "HF1406", "author", "sites (line 1)",
            "holdfast collections import", memory=64),
    Mistake("JSON sent as a form", "fn(state => ({ n: state.data.patient.name }));", "HF1131", "data",
            "as a form", "Content-Type: application/json", {"data": {'{"patient":{"name":"Ada"}}': ""}}),
    Mistake("answer not awaited", "fn(async s => {\n const r = await fetch('URL/ok'); const b = r.json();\n"
            " return { n: b.message.length };\n});", "HF1128", "author", "b is a promise", "before r.json()"),
    Mistake("circular in JSON.stringify", "fn(s => { const a = {}; a.b = a; return { t: JSON.stringify(a) }; });",
            "HF1129", "author", "contains itself by b", "only the parts"),
    Mistake("collections at home", "collections.get('x', 'y');", "HF1204", "author", "no platform",
            "holdfast deploy", adaptor=COLLECTIONS),
)  # fmt: skip

#: What succeeds without a word elsewhere, and is told here.
WARNINGS = (
    Mistake("circular", "fn(s => { s.me = s; return s; });", "HF1105", "author", "state.me", "Copy"),
    Mistake("no object", "fn(s => 42);", "HF1106", "author", "number", "return {"),
    Mistake("nothing returned", "fn(s => { s.x = 1; });", "HF1103", "author", "returned nothing",
            "return state"),
    Mistake("promise in state", "fn(s => { s.r = fetch('URL/ok'); return s; });", "HF1104", "author",
            "state.r was still a promise", "await"),
    Mistake("request not awaited", "fn(s => { fetch('URL/slow'); return s; });", "HF1104", "author",
            "had no answer yet", "await"),
    Mistake("set in state", "fn(s => ({ ...s, x: new Set([1]) }));", "HF1109", "author", "Set",
            "[...set]"),
    Mistake("dollar in a call inside", "fn(s => { console.log($.data); return s; });", "HF1008",
            "author", "inside of a function", "state.data"),
    Mistake("operation in a function", "fn(s => { post('URL/ok', {}); return s; });", "HF1020", "author",
            "post(…) on line 1", "at the top level", adaptor=HTTP),
    Mistake("dollar in quotes", "fn(s => s);\nget(`URL/ok?id=$.data.id`);", "HF1021", "author",
            "$.data.id on line 2", "without quotes", adaptor=HTTP),
    Mistake("no operation at all", "function go(state) { return state; }", "HF1022", "author",
            "does nothing", "fn(state"),
    Mistake("list for nobody", "fn(state => { state.data.items.map(x => ({ ...x, n: 1 })); return state; });",
            "HF1024", "author", "nobody gets it", "Keep what it makes", state=PATIENT),
    Mistake("misspelled length", "fn(s => { for (let i = 0; i < s.data.items.lenght; i++) s.n = i; return s; });",
            "HF1025", "author", "lenght on line 1", "Write length", state=PATIENT),
    Mistake("undefined in an address", "get(`URL/ok?id=${state.data.id}`);", "HF1313", "data",
            "has undefined", "check it before", adaptor=HTTP),
    Mistake("function as a condition", "fn(s => s);", "HF1130", "author", "is a function", "without",
            step={"next": {"b": {"condition": "state => state.data.ok"}}}),
    Mistake("assignment as a condition", "fn(s => s);", "HF1130", "author", "sets a value", "===",
            step={"next": {"b": {"condition": "state.ok = 1"}}}),
)  # fmt: skip
