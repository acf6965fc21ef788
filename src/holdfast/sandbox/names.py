"""The name of the machine, which runs do not learn, and what else /etc/hosts says.

Where a run has namespaces it sees an /etc/hosts without that name. Elsewhere the file cannot be
exchanged: it is hidden if the name stands in it, and the engine answers from `table` instead.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

HOSTS = Path("/etc/hosts")
#: Names of every machine.
_COMMON = frozenset({"localhost", "ip6-localhost", "ip6-loopback"})


def read(path: Path = HOSTS) -> str:
    """The file's text; empty where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def without(text: str, own: str) -> str:
    """The file's lines without the names of the machine called `own`, and without comments."""
    kept: list[str] = []
    for address, names in _entries(text):
        others = [name for name in names if not _is_own(name, own)]
        if others:
            kept.append(" ".join((address, *others)) + "\n")
    return "".join(kept)


def tells(text: str, own: str) -> bool:
    """Whether the name of the machine called `own` can be read in the text."""
    short = own.partition(".")[0].lower()
    return short not in _COMMON and short != "" and short in text.lower()


def table(text: str) -> dict[str, list[str]]:
    """Name in lower case -> addresses, in the order of the file."""
    found: dict[str, list[str]] = {}
    for address, names in _entries(text):
        for name in names:
            found.setdefault(name.lower(), []).append(address)
    return found


def own() -> str:
    """What the machine calls itself."""
    return socket.gethostname()


def _entries(text: str) -> Iterator[tuple[str, list[str]]]:
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if names:
            yield address, names


def _is_own(name: str, own: str) -> bool:
    short = own.partition(".")[0].lower()
    return name.lower() not in _COMMON and name.lower().partition(".")[0] == short
