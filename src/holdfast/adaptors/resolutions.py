"""Which version a tag or range was resolved to. Once resolved it stays, until asked anew.

So a workflow that says `latest` runs the same code today and tomorrow, also offline
(`docs/compatibility.md` 6).
"""

from __future__ import annotations

import json
from pathlib import Path

from holdfast import durable
from holdfast.adaptors.lock import exclusive
from holdfast.model.json import Json, parse_document


class Resolutions:
    """The file of recorded versions in a store."""

    def __init__(self, path: Path, lock: Path) -> None:
        self._path = path
        self._lock = lock

    def all(self) -> dict[str, str]:
        """Every recorded specifier and its version. A missing or broken file holds none."""
        try:
            value: Json = parse_document(self._path.read_text())
        except (OSError, ValueError):
            return {}
        if not isinstance(value, dict):
            return {}
        return {key: version for key, version in value.items() if isinstance(version, str)}

    def get(self, specifier: str) -> str | None:
        """The version recorded for a specifier."""
        return self.all().get(specifier)

    async def record(self, versions: dict[str, str]) -> None:
        """Add or replace records, whole file at a time. Raises OSError."""
        async with exclusive(self._lock):
            merged = self.all() | versions
            text = json.dumps(merged, indent=1, sort_keys=True) + "\n"
            durable.write(self._path, text.encode(), mode=0o644)
