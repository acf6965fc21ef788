"""The page of what the platform was told when it was started. Nothing is changed here."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from holdfast.platform.service import Platform
from holdfast.platform.settings import VARIABLES, Settings
from holdfast.platform.web.language import say
from holdfast.platform.web.render import page

#: Settings that hold a secret, or an address with one: only whether they are set is shown.
_SECRET = frozenset(item.name for item in fields(Settings) if not item.repr)


def instance_routes() -> list[BaseRoute]:
    return [Route("/settings", show)]


async def show(request: Request) -> Response:
    """Each setting with its variable, what it means and its value."""
    platform: Platform = request.app.state.platform
    settings = platform.settings
    rows = [
        (variable, say(words).replace("`", ""), shown(name, getattr(settings, name)))
        for name, (variable, _, words) in VARIABLES.items()
    ]
    return page(
        "instance.html", rows=rows, folder=settings.data, database=platform.database.engine.name
    )


def shown(name: str, value: Any) -> str:
    """A value as people read it. What may be a secret is never shown."""
    if name in _SECRET:
        return say("not set") if value in {None, "", ()} else say("set")
    if value is None or value in ("", ()):
        return say("not set")
    if isinstance(value, bool):
        return say("yes") if value else say("no")
    return (
        ", ".join(map(str, value)) if isinstance(value, tuple | list | frozenset) else str(value)
    )
