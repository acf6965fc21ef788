"""`/styleguide`: every component of `docs/design-language.md`, to look at."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from holdfast.platform.clock import SECOND, now
from holdfast.platform.web.code import frame
from holdfast.platform.web.explain import LABELS
from holdfast.platform.web.render import page

_COLOURS = (
    "bg", "panel", "line", "text", "soft", "accent", "success", "run", "wait", "bad", "grey",
)  # fmt: skip
_CODE = """fn(state => {
  const patient = state.data.patients[0];
  return patient.name.given;
});"""


def styleguide_routes() -> list[BaseRoute]:
    """The page; it shows nothing of any project."""
    return [Route("/styleguide", _styleguide)]


async def _styleguide(_request: Request) -> Response:
    return page(
        "styleguide.html",
        states=[state for state in LABELS if state not in {"pending", "running"}],
        colours=_COLOURS,
        lines=frame(_CODE, 3, 23),
        moment_now=now(),
        second=SECOND,
    )
