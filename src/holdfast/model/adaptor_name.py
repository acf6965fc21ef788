"""The names by which people call adaptors. Pure.

`common@3.3.4` is short for `@openfn/language-common@3.3.4`, everywhere. A short name never means
npm's package of that name: anybody may own that.
"""

from __future__ import annotations

import re

PREFIX = "@openfn/language-"
#: A worker adds it to each step whose text uses it.
COLLECTIONS = f"{PREFIX}collections"
#: Comments count too: the reference looks at the text only.
USES_COLLECTIONS = re.compile(r"collections\.")
_VERSION = r"(?:@[A-Za-z0-9^~*=][A-Za-z0-9.^~*+_-]*)?"
_SHORT = re.compile(rf"[a-z0-9][a-z0-9._-]*{_VERSION}")
_FULL = re.compile(rf"{re.escape(PREFIX)}[a-z0-9][a-z0-9._-]*{_VERSION}")


def full_name(text: str) -> str:
    """The adaptor's package, with the version as it was given; other text as it is."""
    if not _SHORT.fullmatch(text):
        return text
    return f"@openfn/{text}" if text.startswith("language-") else f"{PREFIX}{text}"


def is_adaptor(text: str) -> bool:
    """Whether this is the full name of an adaptor, with or without a version."""
    return _FULL.fullmatch(text) is not None
