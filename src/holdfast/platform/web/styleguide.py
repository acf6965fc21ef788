"""`/styleguide`: every component of `docs/design-language.md`, to look at."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from holdfast.platform.clock import SECOND, now
from holdfast.platform.web.code import frame
from holdfast.platform.web.language import say
from holdfast.platform.web.render import message, page
from holdfast.platform.web.words import LABELS

_COLOURS = (
    "bg", "panel", "line", "text", "soft", "accent", "success", "run", "wait", "bad", "grey",
)  # fmt: skip
_CODE = """fn(state => {
  const patient = state.data.patients[0];
  return patient.name.given;
});"""


def styleguide_routes() -> list[BaseRoute]:
    """The page, for who works on Holdfast: a platform that others reach has none."""
    return [Route("/styleguide", _styleguide)]


async def _styleguide(request: Request) -> Response:
    settings = request.app.state.platform.settings
    if settings.public_url is not None or not settings.loopback:
        return message(404, say("Not found"), say("There is no such page."))
    return page(
        "styleguide.html",
        states=[state for state in LABELS if state not in {"pending", "running"}],
        colours=_COLOURS,
        lines=frame(_CODE, 3, 23),
        moment_now=now(),
        second=SECOND,
    )
