"""YAML as every reader of it understands it, and the names that project files use. Pure."""

from __future__ import annotations

import re
from typing import Any

import yaml

from holdfast.model.json import Json, JsonObject

#: Texts that no version of YAML takes for anything else may stand without quotes.
_PLAIN = re.compile(r"[A-Za-z][\w./@ -]*[\w./@-]|[A-Za-z]", re.ASCII)


class _Writer(yaml.SafeDumper):
    """Blocks for code, quotes for whatever could be a number somewhere; never an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(writer: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None if _PLAIN.fullmatch(text) else "'"
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Writer.add_representer(str, _text)


def to_yaml(document: JsonObject) -> str:
    """The document as YAML, its members in their order."""
    text: str = yaml.dump(
        document,
        Dumper=_Writer,
        sort_keys=False,
        allow_unicode=True,
        width=2**31 - 1,
        default_flow_style=False,
    )
    return text


def slug(text: str) -> str:
    """Non-word characters become hyphens, letters lower case: how form 2 calls its parts."""
    return re.sub(r"\s+", "-", re.sub(r"\W", " ", text, flags=re.ASCII).strip()).lower()


def hyphenated(text: str) -> str:
    """How form 1 calls its parts."""
    return re.sub(r"\s+", "-", text)


def without_nothing(members: JsonObject) -> JsonObject:
    """The members that have a value."""
    return {name: value for name, value in members.items() if value is not None}


class Names:
    """Names of parts in a file, each given once: two parts that would be called alike differ."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def give(self, wanted: str, otherwise: str) -> str:
        name = wanted if wanted and wanted not in self._taken else otherwise
        number = 2
        while name in self._taken:
            name, number = f"{otherwise}-{number}", number + 1
        self._taken.add(name)
        return name


def texts(part: JsonObject, *members: str) -> JsonObject:
    """These members of a part, those that are not null."""
    return {name: value for name in members if (value := part.get(name)) is not None}


def listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
