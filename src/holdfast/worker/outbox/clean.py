r"""JSON text that a Lightning can store: without NUL and lone surrogates, in any value or key.

A NUL (`\u0000`) crashes the channel, since PostgreSQL cannot store it; a lone surrogate closes the
socket with all runs of the worker on it (`docs/spec/lightning-answers.md` 1 and 8). Both become
U+FFFD, as newer Lightnings do it themselves with log lines. Pure.
"""

from __future__ import annotations

import json
import re

REPLACEMENT = "\ufffd"
#: One escape: a pair of surrogates, any other code, or one character.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL
)
_BAD_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})\Z")
_SUSPICIOUS = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
#: Characters escaped at a time: about a millisecond.
_PIECE = 256 * 1024
_RAW = re.compile("[\ud800-\udfff]")


def clean_json(text: str) -> str:
    """The JSON text with U+FFFD instead of every NUL and lone surrogate."""
    if not text.isascii():
        try:
            text.encode()  # four times as fast as looking for them
        except UnicodeEncodeError:
            text = _RAW.sub(REPLACEMENT, text)
    if "\\u" in text and _SUSPICIOUS.search(text):
        text = _ESCAPE.sub(_cleaned, text)
    return text


def quoted(text: str) -> str:
    """The text as a JSON string: JSON inside JSON. Done in pieces, so that other threads run."""
    if len(text) <= _PIECE:
        return json.dumps(text, ensure_ascii=False)
    pieces = (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))
    return f'"{"".join(json.dumps(piece, ensure_ascii=False)[1:-1] for piece in pieces)}"'


def _cleaned(found: re.Match[str]) -> str:
    escape = found[0]
    return REPLACEMENT if _BAD_ESCAPE.match(escape) else escape
