"""Templates and their filters. Everything is escaped by default."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from holdfast import __version__
from holdfast.model.json import Json, parse_document
from holdfast.platform.access import visit
from holdfast.platform.access.policy import Action
from holdfast.platform.clock import SECOND, from_iso, iso, now
from holdfast.platform.store.bulk import ACTIONS
from holdfast.platform.web import console
from holdfast.platform.web.language import language, say, template_words
from holdfast.platform.web.words import (
    ACTION_STATES,
    ACTION_WORDS,
    FILTER_WORDS,
    HOOK_REPLIES,
    LABELS,
    NOT_DRAWN,
    SCRIPT_WORDS,
    STEP_STATES,
    TRIGGERS,
    handled_words,
    more_words,
)

FOLDER = Path(__file__).parent
#: Nothing but our own files, no inline script, no frames.
_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "cache-control": "no-store",
}
#: Largest document shown on a page, characters.
SHOWN = 100_000


def page(template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page, or a part of one."""
    text = environment.get_template(template).render(**values)
    return HTMLResponse(text, status, headers=_HEADERS)


def message(status: int, title: str, text: str) -> HTMLResponse:
    """A page that says one thing."""
    return page("message.html", status=status, title=title, text=text)


def part(template: str, **values: Any) -> str:
    return environment.get_template(template).render(**values)


def ago(microseconds: int | None) -> str:
    """`12 s ago`."""
    if microseconds is None:
        return ""
    return say("%(time)s ago", time=_coarse((now() - microseconds) / SECOND))


def _coarse(seconds: float) -> str:
    for limit, divisor, unit in (
        (90, 1, say("s")),
        (5400, 60, say("min")),
        (129600, 3600, say("h")),
    ):
        if seconds < limit:
            return f"{max(0, seconds) / divisor:.0f} {unit}"
    return f"{seconds / 86400:.0f} {say('d')}"


def duration(microseconds: int | None) -> str:
    """`84 ms`, `2.4 s`, `3 min 12 s`."""
    if microseconds is None:
        return ""
    seconds = microseconds / SECOND
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} {say('min')} {seconds % 60:.0f} {say('s')}"


def moment(microseconds: int | None, *, short: bool = False) -> Markup:
    """A `<time>` in UTC."""
    if microseconds is None:
        return Markup("–")
    when = datetime.fromtimestamp(microseconds // SECOND, UTC)
    text = f"{when:%H:%M:%S}" if short else f"{when:%Y-%m-%d %H:%M:%S}"
    if short:
        text += f".{microseconds % SECOND // 1000:03d}"
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        iso(microseconds), f"{when:%Y-%m-%d %H:%M:%S}", text
    )


def pretty(text: str, *, cut: bool = False) -> str:
    """JSON text indented, cut where it is too long for a page; `cut`: it was cut before."""
    if cut:
        return f"{text}\n…"
    try:
        return indented(parse_document(text), SHOWN)
    except ValueError:
        return shorten(text, SHOWN)


def indented(value: Json, most: int) -> str:
    """A value as JSON on many lines. Indenting makes deep ones grow, so it stops in time."""
    parts, size = list[str](), 0
    for part in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value):
        parts.append(part)
        size += len(part)
        if size > most:
            break
    return shorten("".join(parts), most)


def elapsed(microseconds: int) -> str:
    """How long ago a time is, for something that goes on."""
    return duration(max(0, now() - microseconds))


def moment_ago(microseconds: int) -> Markup:
    """`12 s ago`, with the exact time for whoever points at it."""
    when = datetime.fromtimestamp(microseconds // SECOND, UTC)
    return Markup('<time class="ago" datetime="{}" title="{} UTC">{}</time>').format(
        iso(microseconds), f"{when:%Y-%m-%d %H:%M:%S}", ago(microseconds)
    )


def digest(text: str) -> str:
    """Short, and another one for every other text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def shorten(text: str, most: int) -> str:
    """So many characters at most, and a sign that there are more."""
    return text if len(text) <= most else f"{text[:most]}\n…"


def size(count: int | None) -> str:
    """`1.2 MB`."""
    number = float(count or 0)
    for unit in ("B", "KB", "MB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GB"


def _asset(name: str) -> str:
    """Address of a static file, changing with its content so that browsers may keep it."""
    digest = hashlib.sha256((FOLDER / "static" / name).read_bytes()).hexdigest()[:10]
    return f"/static/{name}?v={digest}"


environment = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    extensions=["jinja2.ext.i18n"],
)
environment.policies["ext.i18n.trimmed"] = True
environment.install_gettext_callables(**template_words(), newstyle=True)  # type: ignore[attr-defined]
environment.filters |= {
    "ago": ago,
    "digest": digest,
    "elapsed": elapsed,
    "from_iso": from_iso,
    "moment_ago": moment_ago,
    "run_state": lambda state: LABELS[state].lower(),
    "duration": duration,
    "moment": moment,
    "shorten": shorten,
    "size": size,
}
environment.globals |= {
    "console": console.shown,
    "form_field": visit.form_field,
    "may": lambda action, project_id=None: visit.may(Action[action], project_id),
    "visit": visit.current,
    "LABELS": LABELS,
    "handled_words": handled_words,
    "STEP_STATES": STEP_STATES,
    "more_words": more_words,
    "NOT_DRAWN": NOT_DRAWN,
    "ACTION_RUNS": ACTIONS,
    "ACTION_STATES": ACTION_STATES,
    "ACTION_WORDS": ACTION_WORDS,
    "FILTER_WORDS": FILTER_WORDS,
    "HOOK_REPLIES": HOOK_REPLIES,
    "TRIGGERS": TRIGGERS,
    "assets": {
        name: _asset(name)
        for name in (
            "holdfast.css",
            "words.js",
            "live.js",
            "data.js",
            "api.js",
            "editor.js",
            "graph.js",
            "htmx.min.js",
            "codemirror.min.js",
        )
    },
    "language": language,
    "script_words": lambda: dict(SCRIPT_WORDS),
    "version": __version__,
}
