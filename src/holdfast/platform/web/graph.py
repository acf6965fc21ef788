"""A workflow as a picture: layers from top to bottom, drawn as SVG without a script."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from holdfast.platform.web.language import say
from holdfast.platform.web.positions import Places, completed
from holdfast.platform.web.words import CONDITIONS

NODE_WIDTH, NODE_HEIGHT = 168, 52
_GAP_X, _GAP_Y, _MARGIN = 20, 44, 12
#: Of the end of a line to its start; `static/graph.js` draws what is moved in the same way.
_NEAR = _GAP_Y - 6


@dataclass(frozen=True, slots=True)
class Node:
    """A box. `kind` is `trigger` or `job`; `state` colours it, if known."""

    id: str
    kind: str
    title: str
    subtitle: str
    x: float
    y: float
    state: str | None
    #: The whole name, where a click leads, and whether it is what the page shows.
    full: str = ""
    link: str | None = None
    current: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """An edge: its path, its words, and where they stand."""

    path: str
    label: str
    x: float
    y: float
    enabled: bool
    #: Its ends, for those who move them.
    source: str = ""
    target: str = ""
    #: The run has gone along it.
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """Everything to draw, with the size of the picture."""

    nodes: list[Node]
    lines: list[Line]
    width: float
    height: float
    node_width: int = NODE_WIDTH
    node_height: int = NODE_HEIGHT


def layout(
    parts: dict[str, Any],
    states: dict[str, str] | None = None,
    *,
    taken: Collection[tuple[str, str]] = (),
    links: Mapping[str, str] | None = None,
    current: str | None = None,
    kept: Places = MappingProxyType({}),
) -> Graph:
    """Lay out the triggers, jobs and edges of a snapshot.

    `states`: job id -> state. `taken`: sources and targets of the edges that a run has gone along.
    `links`: where the click on a node leads; `current`: the node that the page shows. `kept`:
    where people have put parts; without any, all are arranged.
    """
    ids = [item["id"] for item in [*parts["triggers"], *parts["jobs"]]]
    edges = [
        (edge["source_trigger_id"] or edge["source_job_id"], edge["target_job_id"], edge)
        for edge in parts["edges"]
    ]
    edges = [edge for edge in edges if edge[0] in ids and edge[1] in ids]
    ends = [(a, b) for a, b, _ in edges]
    layers = _layers(ids, ends)
    if kept.keys() & set(ids):
        in_order = (node for layer in layers for node in layer)
        before = {b: a for a, b in reversed(ends)}
        size = NODE_WIDTH + _GAP_X, NODE_HEIGHT + _GAP_Y
        places = _from_the_corner(completed(in_order, kept, before, size))
    else:
        places = _arranged(layers)
    width = max((x for x, _ in places.values()), default=0) + NODE_WIDTH + _MARGIN
    height = max((y for _, y in places.values()), default=0) + NODE_HEIGHT + _MARGIN
    nodes = [_trigger(item, places[item["id"]]) for item in parts["triggers"]]
    nodes += [_job(item, places[item["id"]], (states or {})) for item in parts["jobs"]]
    nodes = [
        replace(node, link=(links or {}).get(node.id), current=node.id == current)
        for node in nodes
    ]
    lines = [
        replace(_line(places[a], places[b], edge), source=a, target=b, taken=(a, b) in taken)
        for a, b, edge in edges
    ]
    return Graph(nodes, lines, width, height)


def _arranged(layers: list[list[str]]) -> dict[str, tuple[float, float]]:
    """Each layer in the middle below the one before."""
    places: dict[str, tuple[float, float]] = {}
    widest = max((len(layer) for layer in layers), default=1)
    for depth, layer in enumerate(layers):
        left = _MARGIN + (widest - len(layer)) * (NODE_WIDTH + _GAP_X) / 2
        for index, node in enumerate(layer):
            x = left + index * (NODE_WIDTH + _GAP_X)
            places[node] = (x, _MARGIN + depth * (NODE_HEIGHT + _GAP_Y))
    return places


def _from_the_corner(places: Places) -> dict[str, tuple[float, float]]:
    left = min(x for x, _ in places.values()) - _MARGIN
    top = min(y for _, y in places.values()) - _MARGIN
    return {key: (x - left, y - top) for key, (x, y) in places.items()}


def _layers(ids: list[str], edges: list[tuple[str, str]]) -> list[list[str]]:
    """Each node one layer below the lowest of its origins (the graph has no circles)."""
    depth = dict.fromkeys(ids, 0)
    for _ in ids:  # at most as many rounds as the longest path has nodes
        moved = False
        for source, target in edges:
            if depth[target] < depth[source] + 1 <= len(ids):
                depth[target] = depth[source] + 1
                moved = True
        if not moved:
            break
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=0) + 1)]
    for node in ids:
        layers[depth[node]].append(node)
    return [layer for layer in layers if layer]


def _trigger(item: dict[str, Any], place: tuple[float, float]) -> Node:
    webhook = item["type"] == "webhook"
    words = say("Webhook") if webhook else say("Cron %(item)s", item=item["cron_expression"])
    detail = "on" if item["enabled"] else "disabled"
    return Node(item["id"], "trigger", _short(words, 20), detail, *place, None, words)


def _job(item: dict[str, Any], place: tuple[float, float], states: dict[str, str]) -> Node:
    adaptor = str(item["adaptor_resolved"]).rpartition("/")[2].removeprefix("language-")
    state = states.get(item["id"])
    name = str(item["name"])
    return Node(item["id"], "job", _short(name, 20), _short(adaptor, 24), *place, state, name)


def _line(start: tuple[float, float], end: tuple[float, float], edge: dict[str, Any]) -> Line:
    x1, y1 = start[0] + NODE_WIDTH / 2, start[1] + NODE_HEIGHT
    x2, y2 = end[0] + NODE_WIDTH / 2, end[1] - 6
    down = y2 - y1
    reach = down / 2 if down >= _NEAR else min(80, _NEAR - down / 2)  # upwards, it swings out
    path = f"M {x1:g} {y1:g} C {x1:g} {y1 + reach:g}, {x2:g} {y2 - reach:g}, {x2:g} {y2:g}"
    beside = x1 + (x2 - x1) * 0.8  # near the target, so that labels of a fork keep apart
    return Line(path, _label(edge), beside, y1 + (y2 - y1) * 0.62, bool(edge["enabled"]))


def _label(edge: dict[str, Any]) -> str:
    if edge["condition_label"]:
        return _short(edge["condition_label"], 26)
    kind = edge["condition_type"]
    if kind == "js_expression":
        return _short(edge["condition_expression"] or "", 26)
    return "" if kind == "always" else CONDITIONS.get(kind, "")


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
