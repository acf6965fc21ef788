"""The words of pages in the reader's language.

English stands in the code and in the templates, and is its own key. `languages/page.pot` lists all
of it (`scripts/words.py`); a translation is `languages/<language>/LC_MESSAGES/page.mo` beside it.
"""

from __future__ import annotations

import gettext
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

FOLDER = Path(__file__).parent / "languages"
_DOMAIN, _ENGLISH = "page", "en"
#: One language of `Accept-Language`, and how much it is wanted.
_WANTED = re.compile(
    r"\s*([A-Za-z]{2,8})(?:-[A-Za-z0-9-]{1,30})?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*"
)

_chosen: ContextVar[str] = ContextVar("language", default=_ENGLISH)


def say(text: str, /, **values: object) -> str:
    """The words in the reader's language; `%(name)s` takes a value, if there are any."""
    found = _of(_chosen.get()).gettext(text)
    return found % values if values else found


def say_many(one: str, many: str, count: int, /, **values: object) -> str:
    """The words for so many; `%(count)s` is the number."""
    found = _of(_chosen.get()).ngettext(one, many, count)
    return found % {"count": f"{count:,}", **values}


def later(text: str) -> str:
    """Mark words that are translated when they are shown: `say` them then."""
    return text


def later_many(one: str, many: str) -> tuple[str, str]:
    """As `later`, for `say_many`."""
    return one, many


class Words(Mapping[str, str]):
    """A table of words, each in the language of whoever reads it."""

    def __init__(self, english: Mapping[str, str]) -> None:
        self._english = dict(english)

    def __getitem__(self, key: str) -> str:
        return say(self._english[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._english)

    def __len__(self) -> int:
        return len(self._english)


def language() -> str:
    """The code of the language that is spoken now."""
    return _chosen.get()


def speak(accepted: str) -> None:
    """Choose the language for what is answered from here on. `accepted`: `Accept-Language`."""
    _chosen.set(best(accepted, known()))


def best(accepted: str, have: frozenset[str]) -> str:
    """The language that is wanted most of those that are there; English, where none is."""
    wanted = [
        (-float(found[2] or 1), place, found[1].lower())
        for place, part in enumerate(accepted[:1000].split(","))
        if (found := _WANTED.fullmatch(part)) and float(found[2] or 1) > 0
    ]
    return next((name for _, _, name in sorted(wanted) if name in have), _ENGLISH)


@cache
def known() -> frozenset[str]:
    """Languages that have a translation, and English."""
    return frozenset({_ENGLISH, *(path.parents[1].name for path in FOLDER.glob("*/*/page.mo"))})


@cache
def _of(name: str) -> gettext.NullTranslations:
    return gettext.translation(_DOMAIN, FOLDER, [name], fallback=True)


def template_words() -> dict[str, Any]:
    """What templates translate with: `_("…")` and `{% trans %}`."""
    return {
        "gettext": lambda text: _of(_chosen.get()).gettext(text),
        "ngettext": lambda one, many, count: _of(_chosen.get()).ngettext(one, many, count),
    }


class Spoken:
    """ASGI middleware: pages answer in a language that their reader's browser asks for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            speak(Headers(scope=scope).get("accept-language", ""))
        await self._app(scope, receive, send)
