"""Schemas of credentials: what an adaptor wants in `state.configuration`.

Every adaptor brings one as `configuration-schema.json`. They are found, the first one wins, in

| where | what |
|---|---|
| `SCHEMAS_PATH` | a folder with a file `<name>.json` for each schema, as with Lightning |
| the adaptor store | the newest installed version of `@openfn/language-<name>` |

`raw` takes everything, and `oauth` is what a provider of OAuth 2 gives.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.adaptors.record import Record
from holdfast.adaptors.specifier import version_order
from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json, JsonObject, parse_document

RAW, OAUTH = "raw", "oauth"
#: In an adaptor's package.
_FILE = "configuration-schema.json"
_PREFIX = "@openfn/language-"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")
_LARGEST_BYTES = 1 << 20

_ANYTHING: JsonObject = {"type": "object", "title": "Any values"}
_TOKEN: JsonObject = {
    "type": "object",
    "title": "A token of OAuth 2",
    "required": ["access_token"],
    "properties": {
        "access_token": {"type": "string", "title": "Access token", "writeOnly": True},
        "refresh_token": {"type": "string", "title": "Refresh token", "writeOnly": True},
        "token_type": {"type": "string", "title": "Type of the token"},
        "scope": {"type": "string", "title": "Scopes, with spaces between"},
        "expires_at": {"type": "integer", "title": "End of the access token, Unix seconds"},
        "expires_in": {"type": "integer", "title": "Or seconds that it is still good for"},
    },
}
BUILT_IN: Mapping[str, JsonObject] = {RAW: _ANYTHING, OAUTH: _TOKEN}


class SchemaError(HoldfastError):
    """There is no such schema, or it cannot be read."""


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema with its name and, for an adaptor's, the exact version that it is from."""

    name: str
    document: JsonObject
    adaptor: str | None = None

    def problems(self, body: JsonObject) -> dict[str, list[str]]:
        """What does not fit, by the place. Raises SchemaError; see `checking.py`.

        The library behind it is loaded when the first credential is checked.
        """
        from holdfast.platform.secrets.checking import problems  # noqa: PLC0415

        return problems(self, body)


def adaptor_of(name: str) -> str | None:
    """The package whose schema is called so; None when the name cannot be one's."""
    return f"{_PREFIX}{name}" if _NAME.fullmatch(name) and name not in BUILT_IN else None


def names(installed: Iterable[tuple[Path, Record]], folder: Path | None) -> list[str]:
    """All names that `find` knows. Reads folders."""
    found = set(BUILT_IN)
    if folder is not None:
        found |= {path.stem for path in folder.glob("*.json") if _NAME.fullmatch(path.stem)}
    found |= {_short(record.name) for _, record in _with_schema(installed)}
    return sorted(found)


def find(name: str, installed: Iterable[tuple[Path, Record]], folder: Path | None) -> Schema:
    """The schema of this name. Reads files. Raises SchemaError."""
    if name in BUILT_IN:
        return Schema(name, BUILT_IN[name])
    if not _NAME.fullmatch(name):
        message = f"{name!r} cannot be the name of a schema"
        raise SchemaError(message)
    if folder is not None and (path := folder / f"{name}.json").is_file():
        return Schema(name, _read(path))
    mine = [(p, r) for p, r in _with_schema(installed) if _short(r.name) == name]
    if not mine:
        message = f"there is no schema {name!r}"
        raise SchemaError(message, fix="GET /api/credential_schemas lists those that there are.")
    path, record = max(mine, key=lambda item: version_order(item[1].version))
    return Schema(name, _read(path), f"{record.name}@{record.version}")


def _with_schema(installed: Iterable[tuple[Path, Record]]) -> list[tuple[Path, Record]]:
    """The file of each adaptor that has one."""
    paths = [
        (folder / "node_modules" / record.name / _FILE, record)
        for folder, record in installed
        if record.name.startswith(_PREFIX)
    ]
    return [(path, record) for path, record in paths if path.is_file()]


def _short(name: str) -> str:
    return name.removeprefix(_PREFIX)


def _read(path: Path) -> JsonObject:
    """Raises SchemaError."""
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            message = f"the schema {path.name} is too large"
            raise SchemaError(message)
        value: Json = parse_document(path.read_bytes())
    except (OSError, ValueError) as error:
        message = f"the schema {path.name} cannot be read: {error}"
        raise SchemaError(message) from error
    if not isinstance(value, dict):
        message = f"the schema {path.name} is no JSON object"
        raise SchemaError(message)
    return value


def as_text(value: Json) -> str:
    """A value of a schema, such as an example, for people."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
