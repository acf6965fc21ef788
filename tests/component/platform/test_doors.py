"""Every route of the platform, asked by everybody who might come.

The routes are read from the applications themselves: a new route without a row fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route, WebSocketRoute

from holdfast.platform.app import create_app, create_collections_door
from holdfast.protocol.tokens import sign_worker_token
from support.platform import Served

#: Who is let in through a door of this kind; nobody else is.
KINDS = {
    "open": {"nobody", "proxy", "run", "ended run", "worker", "admin", "session", "old session"},
    "entrance": {"nobody", "run", "ended run", "worker", "admin", "session", "old session"},
    "webhook": {
        "nobody",
        "proxy",
        "run",
        "ended run",
        "worker",
        "admin",
        "session",
        "old session",
    },
    "read": {"admin", "session"},
    "change": {"admin"},
    "form": {"admin", "form"},
    "collections": {"admin", "run"},
    "runs' door": {"run"},
}
VISITORS = [*sorted(KINDS["open"]), "form"]
TABLE = {
    "GET /health_check": "open",
    "GET /ready": "open",
    "GET /static": "open",
    "GET /i/{path:path}": "webhook",
    "POST /i/{path:path}": "webhook",
    "GET /collections/{path:path}": "collections",
    "PUT /collections/{path:path}": "collections",
    "POST /collections/{path:path}": "collections",
    "DELETE /collections/{path:path}": "collections",
    "POST /api/provision": "change",
    "GET /api/provision/{id}": "read",
    "POST /api/session_links": "change",
    "GET /api/queue": "read",
    "GET /api/workers": "read",
    "GET /api/runs": "read",
    "GET /api/runs/{id}": "read",
    "GET /api/runs/{id}/steps": "read",
    "GET /api/runs/{id}/logs": "read",
    "POST /api/runs/{id}/retry": "change",
    "POST /api/runs/{id}/cancel": "change",
    "GET /api/work_orders": "read",
    "GET /api/work_orders/{id}": "read",
    "GET /api/log_lines": "read",
    "GET /api/dataclips/{id}/body": "read",
    "POST /api/workflows/{id}/runs": "change",
    "GET /api/projects/{project_id}/runs": "read",
    "GET /api/projects/{project_id}/work_orders": "read",
    "POST /api/projects/{project_id}/credentials": "change",
    "GET /": "read",
    "GET /events": "read",
    "GET /runs": "read",
    "GET /runs/{id}": "read",
    "GET /runs/{id}/events": "read",
    "POST /runs/{id}/retry": "form",
    "POST /runs/{id}/cancel": "form",
    "GET /workflows/{id}": "read",
    "POST /workflows/{id}/run": "form",
    "GET /workers": "read",
    "GET /login": "entrance",
    "POST /login": "entrance",
    "GET /session/{code}": "entrance",
    "POST /logout": "form",
}
DOOR_TABLE = {
    f"{method} /collections/{{path:path}}": "runs' door"
    for method in ("GET", "PUT", "POST", "DELETE")
}


def routes(app: Starlette) -> Iterator[str]:
    for route in app.routes:
        if isinstance(route, Mount):
            yield f"GET {route.path}"
        elif isinstance(route, Route):
            for method in sorted(route.methods or ()):
                if method != "HEAD":
                    yield f"{method} {route.path}"
        else:
            assert isinstance(route, WebSocketRoute), route
            assert route.path == "/worker/websocket", "its tests: test_socket.py"


@dataclass
class Scene:
    """A platform with a run under way, one that has ended, and everybody's headers."""

    served: Served
    client: httpx.Client
    ids: dict[str, str]
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    #: The visitors are all there.
    complete: bool = False

    def ask(self, url: str, door: str, visitor: str) -> httpx.Response:
        method, _, path = door.partition(" ")
        path = re.sub(r"\{(\w+)(:path)?\}", lambda found: self.named(path, found[1]), path)
        if path == "/static":
            path = "/static/live.js"
        headers = self.visitor(visitor, fresh=path == "/logout" and self.complete)
        form = headers.pop("form_token", None)
        body: dict[str, Any] | None = None if method == "GET" or form is not None else {}
        data = None if form is None else {"form_token": form}
        with self.client.stream(method, url + path, headers=headers, json=body, data=data) as got:
            return got

    def named(self, path: str, name: str) -> str:
        if path.startswith("/i/"):
            return self.ids["trigger"]
        if path.startswith("/collections/"):
            return "codes"
        kinds = {"runs": "run", "workflows": "workflow", "projects": "project"}
        found = re.search(r"/(\w+)/\{", path)
        assert found
        return self.ids.get(kinds.get(found[1], ""), "demo")

    def visitor(self, name: str, *, fresh: bool = False) -> dict[str, str]:
        """`fresh`: with a session of its own, as it is about to log out."""
        if fresh and name in {"session", "form"}:
            return self.person()[name]
        return dict(self.headers[name])

    def person(self) -> dict[str, dict[str, str]]:
        """The headers of a new session, without and with the number of its forms."""
        opened = self.client.get(self.served.url + self.served.new_link())
        cookie = {"cookie": opened.headers["set-cookie"].partition(";")[0]}
        self.client.cookies.clear()
        page = self.client.get(self.served.url, headers=cookie).text
        found = re.search(r'name="form_token" value="(\w+)"', page)
        assert found
        return {"session": cookie, "form": {**cookie, "form_token": found[1]}}


@pytest.fixture(scope="module")
def scene(shared: Served) -> Iterator[Scene]:
    project = shared.client.get("/api/provision/demo").json()["data"]
    shared.deploy({**project, "collections": [{"name": "codes"}]})
    workflow = project["workflows"][0]
    ids = {
        "project": project["id"],
        "workflow": workflow["id"],
        "trigger": workflow["triggers"][0]["id"],
    }
    shared.post()
    shared.post()
    with (
        shared.worker() as worker,
        shared.worker("second") as second,
        httpx.Client(timeout=30) as client,
    ):
        ended, running = worker.take(), second.take()
        ended.complete()
        ids["run"] = running.id
        made = Scene(shared, client, ids)
        left = made.person()
        made.headers |= left
        made.ask(shared.url, "POST /logout", "form")
        worker_token = sign_worker_token(shared.platform.keys.worker_secret, "x", 1)
        made.headers = {
            **made.person(),
            "nobody": {"sec-fetch-site": "same-origin", "origin": shared.url},
            "proxy": {"x-forwarded-for": "203.0.113.7", "host": "flows.example.org"},
            "run": {"authorization": f"Bearer {running.run['token']}"},
            "ended run": {"authorization": f"Bearer {ended.run['token']}"},
            "worker": {"authorization": f"Bearer {worker_token}"},
            "admin": dict(shared.client.headers),
            "old session": left["session"],
        }
        made.complete = True
        yield made


def let_in(answer: httpx.Response) -> bool:
    to_login = answer.headers.get("location", "").startswith("/login?next=")
    return answer.status_code not in {400, 401, 403} and not to_login


def allowed(kind: str, visitor: str) -> bool:
    if visitor == "form" and kind != "form":
        return "session" in KINDS[kind]
    return visitor in KINDS[kind]


def test_every_route_has_a_row(scene: Scene) -> None:
    platform = scene.served.platform
    assert sorted(routes(create_app(platform.settings))) == sorted(TABLE)
    assert sorted(routes(create_collections_door(platform))) == sorted(DOOR_TABLE)


@pytest.mark.parametrize("visitor", VISITORS)
def test_a_door_opens_for_whom_it_is_meant(scene: Scene, visitor: str) -> None:
    wrong = []
    door_url = scene.served.collections_url.removesuffix("/collections")
    for url, table in ((scene.served.url, TABLE), (door_url, DOOR_TABLE)):
        for door, kind in table.items():
            if door.startswith(("POST /login", "GET /session")):
                continue  # test_access.py: they ask for a token, or a link
            answer = scene.ask(url, door, visitor)
            if let_in(answer) != allowed(kind, visitor):
                wrong.append((door, kind, answer.status_code))
    assert wrong == []


def test_the_door_for_runs_has_nothing_else(scene: Scene) -> None:
    url = scene.served.collections_url.removesuffix("/collections")
    for door in TABLE:
        if not door.endswith(" /collections/{path:path}"):
            assert scene.ask(url, door, "admin").status_code == 404, door
