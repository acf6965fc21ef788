"""What the runs of a proof do: made from a random number, with secrets that must not come out."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from random import Random
from urllib.parse import quote

from holdfast.model.json import Json, JsonObject
from support.adaptors import COMMON, HTTP
from support.web import Answer, Asked


def _paragraphs(text: str) -> list[str]:
    return text.strip().split("\n\n")


#: Operations of one step, a paragraph each; `N` is a number of the run.
COMMON_CODE = _paragraphs("""\
fn(s => ({ ...s, at: Date.now(), day: new Date(), chance: Math.random() }));

fn(s => ({ ...s, id: crypto.randomUUID(),
  bytes: [...crypto.getRandomValues(new Uint8Array(4))] }));

fn(async s => { await new Promise(r => setTimeout(r, N % 7));
  return { ...s, later: Date.now() }; });

fn(s => { const t = performance.now(); return { ...s, took: performance.now() - t }; });

fn(s => { console.log(s.configuration); return { ...s, leaked: s.configuration?.password }; });

fn(s => ({ ...s, sorted: [...Array(9)].map(() => Math.random()).sort() }));

each('data.items[*]', fn(s => { s.data.seen = Math.random(); return s; }));

fn(s => ({ ...s, n: s.data.missing.deep }));

fn(s => { throw new Error('refused for ' + s.configuration?.token); });
""")
HTTP_CODE = _paragraphs("""\
get('/people', { query: { page: N, api_key: s => s.configuration.token } });

post('/things', s => ({ at: Date.now(), n: N, password: s.configuration.password }));

fn(async s => {
  const headers = { authorization: 'Bearer ' + s.configuration.token };
  const answer = await fetch(s.configuration.baseUrl + '/echo?n=N', { headers });
  return { ...s, got: await answer.json(), headers: Object.fromEntries(answer.headers) }; });

fn(async s => { const one = n => fetch(s.configuration.baseUrl + '/part?n=' + n);
  const all = await Promise.all([1, 2, 3].map(n => one(n).then(r => r.json())));
  return { ...s, all, at: Date.now() }; });

get('/fails');

get('/text', { parseAs: 'text' });

get('/chunks');
""")


@dataclass(frozen=True, slots=True)
class Work:
    """One run: plan, state, credentials by step, and texts that may stand nowhere in its file."""

    plan: JsonObject
    state: JsonObject
    credentials: JsonObject
    canaries: tuple[str, ...]


def work_of(seed: int, address: str) -> Work:
    """The work of a seed, against the server at `address`."""
    random = Random(seed)
    token, password = (f"canary-{random.getrandbits(64):016x}" for _ in range(2))
    secret: JsonObject = {
        "baseUrl": address,
        "token": token,
        "username": "jo",
        "password": password,
    }
    steps = [_step(random, place) for place in range(random.randint(1, 4))]
    for place, step in enumerate(steps[:-1]):
        step["next"] = {f"step-{place + 1}": random.choice((True, "!state.errors", True))}
    workflow: JsonObject = {"name": f"work {seed}", "steps": [*steps]}
    state: JsonObject = {"data": {"items": [{"id": n} for n in range(random.randint(0, 4))]}}
    credentials: JsonObject = {str(step["id"]): secret for step in steps}
    return Work({"workflow": workflow, "options": {}}, state, credentials, _forms(token, password))


def _step(random: Random, place: int) -> JsonObject:
    web = random.random() < 0.6
    codes = [*HTTP_CODE, *COMMON_CODE[:5]] if web else COMMON_CODE
    chosen = [random.choice(codes) for _ in range(random.randint(1, 3))]
    code = "\n".join(chosen).replace("N", str(random.randint(1, 99)))
    adaptors: list[Json] = [HTTP if web else COMMON]
    return {
        "id": f"step-{place}",
        "name": f"Step {place}",
        "adaptors": adaptors,
        "expression": code,
    }


def _forms(*secrets: str) -> tuple[str, ...]:
    """Each secret as it is, and as it stands in headers and addresses."""
    basic = (base64.b64encode(f"jo:{secret}".encode()).decode() for secret in secrets)
    return (*secrets, *basic, *(quote(secret, safe="") for secret in secrets))


def answer(asked: Asked) -> Answer:
    """What the other system says; much of it depends on the moment."""
    if asked.path == "/fails":
        return Answer({"error": "not today", "auth": asked.headers.get("authorization")}, 503)
    if asked.path == "/text":
        return Answer(
            f"you are {asked.headers.get('authorization')}", headers={"content-type": "text/plain"}
        )
    if asked.path == "/chunks":
        return Answer(iter((b'{"part": ', b"[1]}")), headers={"set-cookie": "sid=canary-0"})
    return Answer(
        {
            "number": Random().random(),
            "sessionToken": f"canary-{asked.query.get('api_key', 'x')}",
            "headers": asked.headers,
            "query": asked.query,
            "body": asked.body.decode("utf-8", "replace"),
        }
    )
