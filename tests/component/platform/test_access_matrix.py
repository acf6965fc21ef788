"""Every route of the platform, asked by everybody who might come, from everywhere.

What is expected is read from the tables of `docs/access.md`, and the routes from the application
itself: a route without a row fails. The guard decides before a handler is reached, so handlers are
replaced by a mark; those that decide themselves are asked for real.
"""

from __future__ import annotations

import asyncio
import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from holdfast.platform.access import doors
from holdfast.platform.access.policy import ALL_SCOPES, Role, Scope
from holdfast.platform.access.rates import Rates
from holdfast.platform.access.visit import FORM_FIELD, form_token
from holdfast.platform.app import create_app, create_collections_door
from holdfast.platform.clock import SECOND, now
from holdfast.platform.service import Platform
from holdfast.platform.store import accounts, api_tokens
from holdfast.platform.store.database import Transaction
from holdfast.protocol.tokens import sign_worker_token
from support.platform import FETCH, Served

DOC = Path(__file__).parents[3] / "docs/access.md"
PLACES = ("loopback", "proxy", "public")
#: Who is nobody, whatever they carry.
NOBODIES = ("nobody", "revoked", "expired", "disabled", "ended run", "worker", "old session")
MEMBERS = ("viewer", "editor", "admin", "owner", "other project", "administrator")
SCOPES = tuple(f"scope {scope}" for scope in Scope)
SESSIONS = tuple(f"session of {name}" for name in MEMBERS)
VISITORS = (*NOBODIES, *MEMBERS, "run", *SCOPES, *SESSIONS)
EVERYWHERE = {"open", "webhook"}
#: 0 stands for the way to the login. A mark answers 200.
REFUSED = {0, 400, 401, 403, 404}


def table(beginning: str) -> list[dict[str, str]]:
    """The rows of the table of the page whose first column is called so."""
    lines = DOC.read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {beginning} |"))
    cells = [
        [cell.strip().strip("`") for cell in line.strip("| ").split("|")]
        for line in lines[start : lines.index("", start) if "" in lines[start:] else None]
    ]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


KINDS = {row["door"]: row for row in table("door")}
ROUTES = {row["route"]: row["door"].partition(" (")[0] for row in table("route")}


def allowed(name: str, kind: str, visitor: str, place: str) -> bool:
    """What the page says."""
    row = KINDS[kind]
    if kind in EVERYWHERE:
        return True
    if visitor == "run" and row["scope"] == "collections" and " /collections/" not in name:
        return False
    session = visitor.startswith(("session", "old session"))
    if visitor.startswith("session of "):
        if " /collections/" in name or (" /api/" in name and not name.startswith("GET ")):
            return False
        visitor = visitor.removeprefix("session of ")
    person = session or visitor in NOBODIES or visitor == "run"
    if place == "proxy" and person and " /collections/" not in name:
        return False
    if visitor.startswith("scope "):
        mine = row["scope"] in {"–", visitor.removeprefix("scope ")}
        return mine and row["owner"] == "yes"
    return row["nobody" if visitor in NOBODIES else visitor] == "yes"


@dataclass
class Scene:
    """A platform with a run under way, one that has ended, and what everybody carries."""

    served: Served
    ids: dict[str, str]
    bearers: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    apps: dict[str, Starlette] = field(default_factory=dict)

    def app(self, place: str) -> Starlette:
        """The application, which says only whether somebody came through the guard."""
        if place in self.apps:
            return self.apps[place]
        platform = copy.copy(self.served.platform)
        if place == "public":
            platform.settings = replace(platform.settings, public_url="https://flows.example.org")
        app = create_app(self.served.settings)
        for route in app.routes:
            real = any(doors.DOORS[name].way is doors.Way.ASKS for name in doors.names(route))
            if isinstance(route, Route | Mount) and not real:
                route.app = PlainTextResponse("in")
        app.state.platform = platform
        self.apps[place] = app
        return app

    def scope(self, name: str, visitor: str, place: str) -> tuple[dict[str, Any], bytes]:
        """A request as an ASGI server hands it over, and its body."""
        method, _, path = name.partition(" ")
        path = re.sub(r"\{(\w+)(:path)?\}", lambda found: self.named(path, found[1]), path)
        path = "/static/live.js" if path == "/static" else path
        host = "127.0.0.1" if place == "loopback" else "flows.example.org"
        headers = {"host": host, "content-type": "application/json"}
        asked = {"id": self.ids["project"], "name": "demo", "items": []}
        if path == "/api/workflows":
            asked = {"project_id": self.ids["project"], "name": "w"}
        if path == "/api/credentials":
            asked = {"project_id": self.ids["project"], "name": "c"}
        body = json.dumps(asked).encode()
        if place != "loopback":
            headers["x-forwarded-for"] = "203.0.113.7"
        if visitor in self.bearers:
            headers["authorization"] = f"Bearer {self.bearers[visitor]}"
        if visitor in self.sessions:
            cookie = "__Host-holdfast" if place == "public" else "holdfast-4000"
            headers["cookie"] = f"{cookie}={self.sessions[visitor]}"
            if " /api/" not in name and " /collections/" not in name:
                headers["content-type"] = "application/x-www-form-urlencoded"
                body = urlencode({FORM_FIELD: form_token(self.sessions[visitor])}).encode()
        raw = [(key.encode(), value.encode()) for key, value in headers.items()]
        return {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(),
            "query_string": b"", "headers": raw, "server": ("127.0.0.1", 4000), "root_path": "",
            "client": ("127.0.0.1", 50000), "scheme": "http", "http_version": "1.1",
            "asgi": {"version": "3.0"},
        }, body  # fmt: skip

    def named(self, path: str, name: str) -> str:
        if path.startswith("/i/"):
            return "nowhere"
        if path.startswith("/collections/"):
            return "codes"
        if name == "project_id":
            return self.ids["project"]
        found = re.search(r"/(\w+)/\{", path)
        assert found
        kind = {"runs": "run", "workflows": "workflow", "provision": "project"}.get(found[1])
        kinds = {"work_orders": "work_order", "dataclips": "dataclip", "jobs": "job"}
        kind = {**kinds, "credentials": "credential", "keychains": "keychain"}.get(found[1], kind)
        return self.ids[kind] if kind else "any"

    def ask_all(self, names: list[str], visitor: str, place: str) -> dict[str, int]:
        """The status that each route answers; 0: the way to the login."""
        app = self.app(place)

        async def ask_each(_: Platform) -> dict[str, int]:
            return {name: await ask(app, *self.scope(name, visitor, place)) for name in names}

        found: dict[str, int] = self.served.call(ask_each)
        return found

    def ask(self, app: Starlette, scope: dict[str, Any], body: bytes) -> int:
        return int(self.served.call(lambda _: ask(app, scope, body)))


async def ask(app: Starlette, scope: dict[str, Any], body: bytes) -> int:
    told: list[dict[str, Any]] = []
    asked = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not asked:
            await asyncio.Event().wait()  # the client waits for its answer
        return asked.pop()

    async def send(message: Any) -> None:
        told.append(message)

    await app(scope, receive, send)
    start = told[0]
    to_login = dict(start["headers"]).get(b"location", b"").startswith(b"/login?next=")
    return 0 if to_login else int(start["status"])


async def _open(user: str, platform: Platform) -> str:
    return await platform.sessions.open(user, agent="test", address="127.0.0.1")


def _people(scene: Scene) -> None:
    """An account, a token and a session for each kind of visitor."""
    project, far = scene.ids["project"], scene.ids["other"]

    def make(tx: Transaction) -> None:
        def token(user: str, scopes: frozenset[Scope] = ALL_SCOPES, **more: Any) -> str:
            made: dict[str, Any] = {"name": "t", "created_by": "test", "user_id": user}
            return api_tokens.add_token(tx, scopes=scopes, **made, **more)[1]

        users = {}
        for name in (*MEMBERS, "disabled"):
            users[name] = accounts.add_user(
                tx,
                email=f"{name.replace(' ', '-')}@example.org",
                name=name,
                administrator=name == "administrator",
                password=None,
            )
            scene.bearers[name] = token(users[name])
        for name in ("viewer", "editor", "admin", "owner"):
            accounts.put_member(tx, project, users[name], Role(name))
        accounts.put_member(tx, project, users["disabled"], Role.ADMIN)
        accounts.change_user(tx, users["disabled"], disabled_at=tx.now)
        accounts.put_member(tx, far, users["other project"], Role.OWNER)
        for scope in Scope:
            scene.bearers[f"scope {scope}"] = token(users["owner"], frozenset({scope}))
        scene.bearers["expired"] = token(users["owner"], expires_at=now() - SECOND)
        key, scene.bearers["revoked"] = api_tokens.add_token(
            tx, name="r", created_by="test", user_id=users["owner"], scopes=ALL_SCOPES
        )
        api_tokens.revoke(tx, key)
        scene.ids |= {f"user {name}": key for name, key in users.items()}

    scene.served.write(make)
    for name in MEMBERS:
        user = scene.ids[f"user {name}"]
        scene.sessions[f"session of {name}"] = scene.served.call(partial(_open, user))
    scene.sessions["old session"] = "gone"


@pytest.fixture(scope="module")
def scene(shared: Served) -> Iterator[Scene]:
    project = shared.client.get("/api/provision/demo").json()["data"]
    shared.deploy({**project, "collections": [{"name": "codes"}]})
    far = shared.deploy({"name": "far", "workflows": [], "collections": [{"name": "far"}]})
    ids = {
        "project": project["id"],
        "workflow": project["workflows"][0]["id"],
        "other": far["data"]["id"],
    }
    hapi = {"name": "hapi", "body": {"password": "a-secret"}}
    credential = shared.client.post("/api/projects/demo/credentials", json=hapi).json()
    chain = {"name": "clinic", "path": "$.clinic"}
    keychain = shared.client.post("/api/projects/demo/keychains", json=chain).json()
    ids |= {"job": FETCH, "credential": credential["data"]["id"]}
    ids["keychain"] = keychain["data"]["id"]
    shared.post()
    shared.post()
    with shared.worker() as worker, shared.worker("second") as second:
        ended, running = worker.take(), second.take()
        ended.complete()
        ids["run"] = running.id
        related = shared.client.get(f"/api/runs/{running.id}").json()["data"]["relationships"]
        ids |= {name: related[name]["data"]["id"] for name in ("work_order", "dataclip")}
        made = Scene(shared, ids)
        often = replace(shared.settings, requests_per_second=10_000)
        shared.platform.rates = Rates.of(often)  # one visitor tries all doors at once
        _people(made)
        secret = shared.platform.keys.worker_secret
        made.bearers |= {
            "run": running.run["token"],
            "ended run": ended.run["token"],
            "worker": sign_worker_token(secret, "x", 1),
        }
        yield made


def test_every_route_has_a_row(scene: Scene) -> None:
    app = create_app(scene.served.settings)
    assert sorted(name for route in app.routes for name in doors.names(route)) == sorted(ROUTES)
    door = create_collections_door(scene.served.platform)
    assert {n.partition(" ")[2] for route in door.routes for n in doors.names(route)} == {
        "/collections/{path:path}"
    }
    assert {*ROUTES.values(), "write items"} == KINDS.keys()


def test_items_need_the_scope_of_collections_on_pages_too() -> None:
    kinds = {"GET": {"read items"}, "POST": {"write items", "empty"}}
    for name, kind in ROUTES.items():
        if "/collections/{name}" in name and not name.endswith("{name}/remove"):
            assert kind in kinds[name.partition(" ")[0]], name


@pytest.mark.parametrize("visitor", VISITORS)
def test_a_door_opens_for_whom_it_is_meant(scene: Scene, visitor: str) -> None:
    names = [name for name in ROUTES if not name.startswith("WEBSOCKET ")]
    wrong = []
    for place in PLACES[:1] if visitor.startswith("scope ") else PLACES:
        answers = scene.ask_all(names, visitor, place)
        for name, status in answers.items():
            if (status not in REFUSED) != allowed(name, ROUTES[name], visitor, place):
                wrong.append((place, name, ROUTES[name], status))
    assert wrong == []


@pytest.mark.parametrize("visitor", ["administrator", "owner", "ended run", "run"])
def test_the_door_for_runs_is_for_runs(scene: Scene, visitor: str) -> None:
    app = create_collections_door(scene.served.platform)
    for name in ROUTES:
        if not name.startswith("WEBSOCKET "):
            asked = scene.scope(name, visitor, "loopback")
            status = scene.ask(app, *asked)
            there = " /collections/" in name
            good = status != 401 if visitor == "run" else status == 401
            assert good if there else status == 404, (name, status)


def test_a_form_without_its_number_changes_nothing(scene: Scene) -> None:
    app = scene.app("loopback")
    forms = {"start", "manage", "account", "administer"}
    for name, kind in ROUTES.items():
        if name.startswith("POST ") and " /api/" not in name and kind in forms:
            scope, _ = scene.scope(name, "session of administrator", "loopback")
            asked = (scope, b"form_token=guess")
            assert scene.ask(app, *asked) == 403, name
