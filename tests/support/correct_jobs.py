"""Jobs as authors write them, in which nothing is wrong: neither a check nor a run says a word.

`URL` in code and credentials is the address of a local server that answers anything with
`{"message": …}`.
"""

from __future__ import annotations

from typing import NamedTuple

from holdfast.model.json import JsonObject
from support.mistakes import COLLECTIONS, COMMON, FHIR, HTTP

OPENMRS = "@openfn/language-openmrs@5.5.0"
MSSQL = "@openfn/language-mssql@7.1.3"
#: What a run of them begins with.
STATE: JsonObject = {
    "data": {
        "patient": {"name": "Ada", "id": "p 1"},
        "items": [{"id": 1, "n": 2, "ok": True}, {"id": 2, "n": 3, "ok": False}],
        "text": "a,b\n1,2",
        "none": None,
    },
    "cursor": "2026-01-01",
}
_FHIR: JsonObject = {"baseUrl": "URL", "apiPath": "fhir"}
_OPENMRS: JsonObject = {"instanceUrl": "URL", "username": "jo", "password": "made-up-word"}


class Job(NamedTuple):
    """`runs`: whether it can be run here, with nothing but a local server."""

    name: str
    code: str
    adaptor: str = COMMON
    credential: JsonObject | None = None
    runs: bool = True


JOBS = (
    Job("returns state", "fn(state => state);"),
    Job("block body", "fn(state => {\n  const { data } = state;\n  return { ...state, data };\n});"),
    Job("async and await", """
        fn(async state => {
          const response = await fetch('URL/ok');
          const body = await response.json();
          return { ...state, data: { text: body.message } };
        });""", HTTP),
    Job("promises in a list", """
        fn(async state => {
          const answers = await Promise.all(
            state.data.items.map(item => fetch(`URL/items/${item.id}`).then(r => r.json()))
          );
          return { ...state, answers };
        });""", HTTP),
    Job("each with an operation", """
        // one request for each item
        each('$.data.items[*]', post('URL/items', state => ({ id: state.data.id })));""", HTTP),
    Job("each with lazy state", "each($.data.items, get(`URL/items/${$.data.id}`));", HTTP),
    Job("map by a path", """
        map('$.data.items[*]', (state, item) => ({ ...state.data, twice: item }));
        fn(state => ({ ...state, count: state.data.length }));""", HTTP, runs=False),
    Job("fields and values", """
        fn(state => {
          const mapped = state.data.items.map(item =>
            fields(field('id', item.id), field('n', item.n), field('ok', item.ok)));
          return { ...state, mapped, name: dataValue('patient.name')(state) };
        });"""),
    Job("three fields", "fn(state => ({ ...state, all: fields(field('a', 1), field('b', 2),\n"
        "  field('c', 3)) }));"),
    Job("helpers as callbacks", """
        fn(state => {
          const names = ['ada_l', 'grace_h'].map(name => humanProper(name));
          const parts = chunk(state.data.items, 1).flatMap(part => toArray(part));
          const found = parts.filter(part => scrubEmojis(String(part.id)) !== '');
          return { ...state, names, found, clean: scrubEmojis(state.data.patient.name) };
        });""", HTTP),
    Job("helpers that return by arrow", """
        const pick = state => state.data.items.map(item => splitKeys(item, ['id']));
        fn(state => ({ ...state, picked: pick(state), joined: arrayToString(['a', 'b'], ',') }));""",
        HTTP),
    Job("combine many", """
        combine(
          fn(state => ({ ...state, a: 1 })),
          fn(state => ({ ...state, b: 2 })),
          fn(state => ({ ...state, c: 3 }))
        );"""),
    Job("combine from a list", """
        fn(async state => {
          const operations = state.data.items.map(item => get(`URL/items/${item.id}`));
          return combine(...operations)(state);
        });""", HTTP),
    Job("an operation run at once", """
        fn(async state => {
          const next = await get('URL/ok')(state);
          await Promise.all(next.references.map(() => post('URL/ok', { a: 1 })(state)));
          return { ...state, message: next.data.message };
        });""", HTTP),
    Job("lazy state in an operation run at once", """
        fn(state => get(`URL/patients/${encodeURIComponent(state.data.patient.id)}`)(state));
        each($.data.items ?? [], fn(state => state));""", HTTP, runs=False),
    Job("cursor", """
        cursor($.cursor, { defaultValue: '2026-01-01', format: value => String(value) });
        fn(state => ({ ...state, since: state.cursor }));
        cursor('now');"""),
    Job("chain", """
        get('URL/ok')
          .then(state => ({ ...state, message: state.data.message }))
          .then(fn(state => state))
          .catch((error, state) => { console.log(error.message); return state; });""", HTTP),
    Job("condition", "fnIf($.data.patient, fn(state => ({ ...state, known: true })));"),
    Job("own functions", """
        const upper = text => text.toUpperCase();
        function first(list) { return list[0]; }
        async function later(value) { return value; }
        function* numbers(most) { for (let n = 0; n < most; n++) yield n; }
        fn(async state => {
          const waited = await later(first(state.data.items));
          return { ...state, waited, list: [...numbers(3)], name: upper(state.data.patient.name) };
        });"""),
    Job("own names like operations", """
        const log = (level, text, more) => console.log(level, text, more);
        const get = (object, path, other) => path.split('.').reduce((at, key) => at?.[key], object) ?? other;
        fn(state => {
          log('info', 'name', get(state, 'data.patient.name', 'nobody'));
          const each = (list, call, start) => list.reduce(call, start);
          return { ...state, sum: each(state.data.items, (sum, item) => sum + item.n, 0) };
        });""", HTTP),
    Job("imports of helpers", """
        import { dateFns, humanProper } from '@openfn/language-common';
        fn(state => {
          const day = dateFns.format(new Date(0), 'yyyy-MM-dd');
          return { ...state, day, name: humanProper('ada_l') };
        });"""),
    Job("an operation that is imported", """
        import { post } from '@openfn/language-http';
        fn(async state => { await post('URL/ok', { a: 1 })(state); return state; });""", HTTP),
    Job("null in addresses", """
        get('URL/patients?filter=closed:null&parent=null&state=eq:null,open');
        get('URL/nullable/null-island?undefined-too=1');
        get(`URL/things?where=${encodeURIComponent('a = null')}`);""", HTTP),
    Job("texts with a dollar", """
        fn(state => {
          console.log('costs $.50, see $.data.items and ${price}');
          const paths = ['$.data.items[?(@.ok==true)]', '$.data.*'];
          return { ...state, paths, text: `a $.data.b ${state.data.patient.name}` };
        });
        assert(state => state.data, 'there is no $.data.items here');"""),
    Job("paths as texts", """
        fn(state => ({ ...state, first: sourceValue('$.data.items[0].id')(state),
          name: dataValue('patient.name')(state), all: source('$.data.items[*]')(state) }));
        each('$.data.items[*]', state => ({ ...state, seen: true }));"""),
    Job("paths as texts for lists", """
        join('$.data.items[*]', '$.data.patient', 'patient');
        group($.data.items, 'ok');""", runs=False),
    Job("patterns and comments", r"""
        /* $.data is not used here: get('/x/$.data.id') */
        fn(state => {
          // post('/y', {}) would be wrong
          const found = /[/'"`](\d+)/.exec('x/12') ?? [];
          const path = 'a/b'.replace(/\//g, '.').replace(/undefined|null/, '');
          return { ...state, number: Number(found[1]), path };
        });"""),
    Job("only comments", "// nothing to do here yet\n/* later: get('/patients') */\n"),
    Job("nothing at all", "\n"),
    Job("log and debug", "log('begin', 'of', 'all', 1, true);\nfn(state => state);"),
    Job("csv", "parseCsv($.data.text, { columns: true });"),
    Job("loops and a map for what it does", """
        fn(state => {
          const { items } = state.data;
          const byName = new Map();
          for (let i = 0; i < items.length; i++) items[i].place = i;
          items.map(item => { item.seen = true; });
          items.map(item => (item.again = true));
          items.filter(item => console.log(item.id));
          items.map(item => byName.set(item.n, item));
          items.map(item => delete item.none);
          items.forEach(item => ({ ...item }));
          items[0].legnth = 1; // as the other system writes it
          const byId = new Map(items.map(item => [item.id, item]));
          return { ...state, sizes: [byId.size], last: items.at(-1)?.id, keys: Object.keys(items[0]) };
        });"""),
    Job("errors that are handled", """
        fn(async state => {
          try {
            JSON.parse('{');
          } catch { console.warn; }
          const found = await Promise.resolve(null).catch(() => undefined);
          return { ...state, found: found ?? 'none', error: state.errors?.a?.message };
        });"""),
    Job("http with options", """
        get('URL/patients', { query: { limit: 10, filter: 'a:null' }, headers: { 'x-a': 'b' }, parseAs: 'json' });
        post('URL/patients', state => ({ name: state.data.message, note: null }), { errors: { 404: false } });
        request('GET', 'URL/any', { query: { id: $.data.message } });""", HTTP),
    Job("deletes", "each($.data.ids, del(`/patients/${$.data}`, { errors: { 404: false } }));", HTTP,
        runs=False),
    Job("fhir", """
        get('Patient', { name: 'Ada', _count: 5 });
        create('Patient', { name: [{ family: 'Lovelace' }], id: $.data.message }, {});
        post('Patient/$validate', state => ({ resourceType: 'Parameters' }));""", FHIR, _FHIR),
    Job("openmrs", """
        get('patient', { q: 'Ada', limit: 1 });
        create('person', { gender: 'F', names: [{ givenName: 'Ada' }] });
        update('person/1', state => ({ gender: state.data.message }));""", OPENMRS, _OPENMRS),
    Job("collections beside another adaptor", """
        collections.get('mappings', { key: '*' });
        collections.set('patients', item => item.id, $.data.items);
        collections.each('mappings', { key: 'a*' }, (state, value, key) => ({ ...state, [key]: value }));
        fn(async state => collections.remove('mappings', `${state.data.name}-*`)(state));""",
        HTTP, runs=False),
    Job("collections alone", "collections.get('mappings', $.data.key);", COLLECTIONS, runs=False),
    Job("lists that are not known to be lists", """
        const table = { filter: f => (table.kept = f), rows: [] };
        fn(state => {
          table.filter(row => row.ok);
          state.query('patients').filter(row => row.ok);
          state.data.rows.slice(1).map(row => row.id);
          state.builder.map(row => row.id);
          return state;
        });""", runs=False),
    Job("a list with methods of its own", """
        fn(state => {
          state.data.map = f => { state.f = f; };
          state.data.map(row => row.id);
          state.data.rows.flatMap(row => row.id);
          return { ...state, rows: { flatMap(f) { return f; } } };
        });""", runs=False),
    Job("lenght that may be there", """
        fn(state => ({ ...state, n: state.data.lenght, m: state.data.legnth ?? state.data.length }));
        fn(state => (state.data.lengt > 1 || state.data.length > 1 ? state : {}));
        fn(state => (state.data.lenth === undefined ? state : {}));""", runs=False),
    Job("lenght as it is called", """
        fn(state => { state.lenght = 4; return state.lenght > 3 ? state : {}; });
        fn(state => { delete state.legnth; return state.legnth > 3 ? state : {}; });
        fn(state => (state.data.lenth > 3 ? { ...state, n: state.data['lenth'] } : {}));
        fn(state => ({ ...state, lengt: 3, far: state.lengt > 2 }));""", runs=False),
    Job("a path in a query", "get('URL/search?path=$.store.book&at=$.items');", HTTP, runs=False),
    Job("mssql", """
        sql({ query: state => `select * from patients where name = '${state.data.name}'` });
        sql({ query: "select json_value(body, '$.data.name') from forms where x like '%/$.data.id'" });
        insert('patients', { name: dataValue('name') }, { setNull: ["'undefined'"] });
        upsert('patients', ['id', 'site'], state => fields(field('id', state.data.id)), { logValues: true });
        each('$.data.items[*]', upsertMany('items', 'id', state => state.data.rows, {}));
        findValue({ uuid: 'id', relation: 'users', where: { name: 'Mama%' }, operator: { name: 'like' } });""",
        MSSQL, runs=False),
)  # fmt: skip
