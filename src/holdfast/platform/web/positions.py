"""Where people have put parts of a workflow: `positions` of its document, as OpenFn keeps them.

A map from the id of a step or trigger to `x` and `y`. Without any, the picture is arranged by
itself. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping

from holdfast.model.json import Json, JsonObject

#: Further away than any hand has drawn.
_FAR = 100_000
Places = Mapping[str, tuple[float, float]]


def places_of(positions: Json) -> dict[str, tuple[float, float]]:
    """What is no place is left out: clients may keep there what they like."""
    found = {}
    for key, place in positions.items() if isinstance(positions, dict) else ():
        if isinstance(place, dict):
            x, y = _number(place.get("x")), _number(place.get("y"))
            if x is not None and y is not None:
                found[key] = (x, y)
    return found


def of_workflow(kept: str | None) -> dict[str, tuple[float, float]]:
    """Of the row of a workflow: what it keeps for clients, as JSON."""
    return places_of(json.loads(kept).get("positions")) if kept else {}


def from_field(text: str) -> dict[str, tuple[float, float]]:
    """From the field of a form, which may hold anything."""
    try:
        return places_of(json.loads(text)) if text else {}
    except (ValueError, RecursionError):
        return {}


def positions_of(places: Places, known: Collection[str]) -> JsonObject | None:
    """The member of a document; of parts that are there. None: arranged by itself."""
    return {key: {"x": x, "y": y} for key, (x, y) in places.items() if key in known} or None


def completed(
    wanted: Iterable[str], kept: Places, before: Mapping[str, str], size: tuple[float, float]
) -> dict[str, tuple[float, float]]:
    """A place for each: its own, or one below what leads to it, or right of what is there.

    `wanted`: from the first to the last; `before`: what leads to each; `size`: of a part with
    the room around it.
    """
    ids = list(wanted)
    found = {key: kept[key] for key in ids if key in kept}
    wide, high = size
    for key in ids:
        if key in found:
            continue
        lowest = max((y for _, y in found.values()), default=0.0)
        x, y = found.get(before.get(key, ""), (0.0, lowest))
        y += high
        row = [left for left, top in found.values() if abs(top - y) < high]
        if any(abs(left - x) < wide for left in row):
            x = max(row) + wide
        found[key] = (x, y)
    return found


def _number(value: Json) -> float | None:
    """Whole: a part of a pixel is nothing that people mean."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value) if abs(value) < _FAR else None
