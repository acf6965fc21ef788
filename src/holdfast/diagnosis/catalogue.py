"""Every cause that Holdfast can name, by its code."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from holdfast.diagnosis.code_entries import CODE
from holdfast.diagnosis.entry import TURNS, Entry
from holdfast.diagnosis.state_entries import STATE
from holdfast.diagnosis.world_entries import WORLD

CATALOGUE: Mapping[str, Entry] = MappingProxyType(
    {entry.code: entry for entry in (*CODE, *STATE, *WORLD)}
)


def expanded(entry: Entry) -> str:
    """The entry for a person who asks what a code means; `…` stands for what a run fills in."""
    rows = [
        f"{entry.code}  {entry.title}",
        "",
        opened(entry.what),
        "",
        f"What to change: {opened(entry.change)}",
        f"Whose turn it is: {TURNS[entry.turn]}",
        "",
        "Example:",
        *(f"  {row}" for row in entry.example.splitlines()),
    ]
    return "\n".join(rows)


class _Blank(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "…"


def opened(template: str) -> str:
    """A template with `…` for what a run fills in."""
    return template.format_map(_Blank())
