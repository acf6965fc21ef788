"""How the connection of a credential is tested: a step that reads next to nothing. Pure.

A worker runs it, with the adaptor that jobs use: its network, its egress policy and its name
server are what counts. What the other system answers is not kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import urlsplit

from holdfast.model.json import Json, JsonObject

PREFIX = "@openfn/language-"
#: Keys that name an address, the usual ones first; then come all others.
_ADDRESSES = ("baseUrl", "baseURL", "hostUrl", "instanceUrl", "url", "host")
_FORGET = "fn(() => ({ data: {} }));\n"


class Proof(StrEnum):
    """What a success says. The value is the name of the step, by which it is known again."""

    #: The other system knows the user.
    LOGIN = "Log in"
    #: It answers to the credential; it may do so to everybody.
    ANSWER = "Ask with the credential"
    #: There is somebody at the address. The credential was not shown to it.
    REACH = "Reach the address"


@dataclass(frozen=True, slots=True)
class Probe:
    """The step. `adaptor`: its package without a version; `needs`: the key with the address."""

    adaptor: str
    proof: Proof
    code: str
    needs: str


def _probe(short: str, proof: Proof, needs: str, code: str) -> Probe:
    return Probe(f"{PREFIX}{short}", proof, f"{code}\n{_FORGET}", needs)


#: By the adaptor's short name. `http` reads whatever is at its base URL, so it takes it as text.
_KNOWN: Mapping[str, Probe] = {
    "http": _probe("http", Proof.ANSWER, "baseUrl", "get('', { parseAs: 'text' });"),
    "fhir": _probe("fhir", Proof.ANSWER, "baseUrl", "get('Patient?_summary=count');"),
    "dhis2": _probe("dhis2", Proof.LOGIN, "hostUrl", "get('me');"),
    "openmrs": _probe(
        "openmrs",
        Proof.LOGIN,
        "instanceUrl",
        """\
http.get('/ws/rest/v1/session');
// OpenMRS answers 200 to a wrong password, too.
fn(state => {
  if (state.data.authenticated !== true) {
    throw Object.assign(new Error('not authenticated'), { statusCode: 401 });
  }
  return state;
});""",
    ),
    "postgresql": _probe("postgresql", Proof.LOGIN, "host", "sql('SELECT 1');"),
    "mysql": _probe("mysql", Proof.LOGIN, "host", "sql('SELECT 1');"),
    "mssql": _probe("mssql", Proof.LOGIN, "server", "sql({ query: 'SELECT 1' });"),
}
#: Any status is an answer. HEAD: nothing is read; no redirect is followed to other hosts.
_REACH = """\
fn(async state => {
  const address = new URL(state.configuration[%s]);
  address.username = address.password = ''; // fetch refuses an address that has them
  await fetch(address, { method: 'HEAD', redirect: 'manual' });
  return { data: {} };
});
"""


def probe_for(schema: str, body: JsonObject, used: Iterable[str]) -> Probe | None:
    """The test of a credential with these values; None: nothing can be tested.

    `used`: short names of the adaptors of the jobs that have it. Its own kind comes first.
    """
    known = next((_KNOWN[name] for name in (schema, *used) if name in _KNOWN), None)
    if known is not None and body.get(known.needs):
        return known
    key = _address(body)
    if key is None:
        return None
    return replace(Probe(f"{PREFIX}common", Proof.REACH, "", key), code=_REACH % json.dumps(key))


def _address(body: JsonObject) -> str | None:
    """The key of a value that is an address of the web."""
    named = [key for key in _ADDRESSES if key in body]
    return next((key for key in [*named, *body] if _is_address(body[key])), None)


def _is_address(value: Json) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:  # such as brackets without an address
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
