"""What an adaptor offers, in the words of its authors: operations, namespaces, credential."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from holdfast.adaptors.comments import functions
from holdfast.adaptors.declared import Declared, declared
from holdfast.model.json import JsonObject, parse_document

#: Of a file of the package. Larger ones are not read.
_LIMIT_BYTES = 4 << 20
_NAMESPACE = re.compile(r"^export \* as (\w+) from ['\"]\./([\w./-]+)['\"];", re.MULTILINE)
#: A namespace's functions that are no operations are left out: authors mark the others so.
_PUBLIC = re.compile(r"@public\b")


@dataclass(frozen=True, slots=True)
class Field:
    """One key of the credential."""

    name: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Manual:
    """`operations`: by name, those of a namespace as `collections.get`; `own`: how many of the
    first are the adaptor's and not those of language-common. `values`: exports of which nothing
    is said."""

    name: str
    version: str
    description: str
    operations: dict[str, Declared]
    own: int
    values: tuple[str, ...]
    credential: tuple[Field, ...]


def manual(package: Path, exports: tuple[str, ...]) -> Manual:
    """Of an installed adaptor, whose code exports these names."""
    about = _object(package / "package.json")
    known = declared(package)
    spoken = {name: item for name, item in known.items() if name in exports}
    own = sum(name in spoken for name in _own_names(package))
    spaces = dict(_namespaces(package))
    for space, items in spaces.items():
        if space in exports:
            named = (replace(item, name=f"{space}.{item.name}") for item in items)
            spoken |= {item.name: item for item in named}
            own += len(items)
    values = tuple(name for name in exports if name not in spoken and name not in spaces)
    return Manual(
        str(about.get("name")),
        str(about.get("version")),
        str(about.get("description") or ""),
        _own_first(spoken, package),
        own,
        values,
        _credential(package),
    )


def _own_names(package: Path) -> list[str]:
    operations = _object(package / "ast.json").get("operations")
    items = operations if isinstance(operations, list) else []
    return [str(item.get("name")) for item in items if isinstance(item, dict)]


def _own_first(spoken: dict[str, Declared], package: Path) -> dict[str, Declared]:
    own = set(_own_names(package))
    first = {name: item for name, item in spoken.items() if name in own or "." in name}
    return first | spoken


def _namespaces(package: Path) -> list[tuple[str, list[Declared]]]:
    """What `export * as name from './file'` in the package's declarations makes public."""
    folder = package / "types"
    index = _text(folder / "index.d.ts")
    found = []
    for name, file in _NAMESPACE.findall(index):
        if ".." in file:
            continue
        text = _text(folder / f"{file.removesuffix('.js')}.d.ts")
        items = [item for item, comment in functions(text) if _PUBLIC.search(comment)]
        if items:
            found.append((name, items))
    return found


def _credential(package: Path) -> tuple[Field, ...]:
    schema = _object(package / "configuration-schema.json")
    properties, required = schema.get("properties"), schema.get("required")
    needed = required if isinstance(required, list) else []
    items = properties.items() if isinstance(properties, dict) else ()
    return tuple(
        Field(name, name in needed, str(item.get("description") or item.get("title") or ""))
        for name, item in items
        if isinstance(item, dict)
    )


def _object(path: Path) -> JsonObject:
    try:
        document = parse_document(_text(path))
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _text(path: Path) -> str:
    """Empty where the file is missing, too large, or no text."""
    try:
        if path.stat().st_size > _LIMIT_BYTES:
            return ""
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
