"""What a workflow writes to name an adaptor: `name`, `name@1.2.3`, `name@latest`, `name@local`.

Text that is no plain npm name and version is refused before anything sees it: no white space, no
shell characters, no URLs, paths, aliases or options (`docs/spec/runtime.md` 5.1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from holdfast.adaptors.errors import AutoinstallError

#: npm's own rule for new packages, without names that could be taken for an option.
_NAME = re.compile(r"(?:@[a-z0-9~][a-z0-9._~-]*/)?[a-z0-9~][a-z0-9._~-]*")
_NAME_LIMIT = 214  # characters, npm's limit
#: A version, a range without blanks (`^1.2`, `1.x`, `*`) or a tag.
_VERSION = re.compile(r"[A-Za-z0-9^~*=][A-Za-z0-9.^~*+_-]*")
_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:[0-9A-Za-z-]+)(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_RESERVED = {"node_modules", "favicon.ico"}


@dataclass(frozen=True, slots=True)
class Specifier:
    """A name and, where one was given, a version, range or tag."""

    name: str
    version: str | None = None

    @classmethod
    def parse(cls, text: str) -> Specifier:
        """Take a specifier apart at the last `@` that is not its first character.

        Raises AutoinstallError when it is not safe to hand to npm.
        """
        at = text.rfind("@")
        name, version = (text[:at], text[at + 1 :]) if at > 0 else (text, None)
        if not _NAME.fullmatch(name) or len(name) > _NAME_LIMIT or name in _RESERVED:
            raise _unsafe(text)
        if version is not None and not _VERSION.fullmatch(version):
            raise _unsafe(text)
        return cls(name, version)

    @property
    def concrete(self) -> bool:
        """Whether the version is one exact version."""
        return self.version is not None and _SEMVER.fullmatch(self.version) is not None

    @property
    def local(self) -> bool:
        """Whether the adaptor is to come from a monorepo folder."""
        return self.version == "local"

    @property
    def short(self) -> str:
        """Name of the adaptor's folder in the monorepo: `http` of `@openfn/language-http`."""
        return self.name.removeprefix("@openfn/").removeprefix("language-")

    def at(self, version: str) -> Specifier:
        """The same package in another version."""
        return Specifier(self.name, version)

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}@{self.version}"


def _unsafe(text: str) -> AutoinstallError:
    shown = text if len(text) <= 100 else text[:100] + "…"
    return AutoinstallError(
        f"Unsafe module specifier: {shown!r} is not a package name with a version",
        specifier=ascii(shown)[1:-1],
        fix="Write it like @openfn/language-http@7.2.10.",
    )


def version_order(version: str) -> tuple[object, ...]:
    """Sorting key of a version by the rules of semantic versioning (docs/compatibility.md 9).

    Text that is no version sorts before every version.
    """
    match = _SEMVER.fullmatch(version)
    if match is None:
        return (-1, version)
    major, minor, patch, pre = match.groups()
    core = (int(major), int(minor), int(patch))
    if pre is None:
        return (0, core, 1, ())
    # A numeric identifier is lower than any other; a shorter list is lower than a longer one.
    parts = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in pre.split("."))
    return (0, core, 0, parts)
