"""Finds the names under which a job holds its embedded data, for reports."""

from __future__ import annotations

from collections.abc import Collection

from holdfast.compiler.analysis import Reading
from holdfast.compiler.embedded import Literal
from holdfast.compiler.report import EmbeddedData
from holdfast.compiler.source import Source
from holdfast.compiler.tree import Node

#: Bytes; smaller holders are left out of the report.
REPORT_FROM = 1024


def embedded_data(
    reading: Reading, source: Source, hoisted: Collection[int]
) -> list[EmbeddedData]:
    """The data of a job, one entry for each holder, in the order of the text."""
    groups: dict[tuple[int, str], list[Literal]] = {}
    for literal, node in zip(reading.literals, reading.nodes, strict=True):
        groups.setdefault(_holder(node, source), []).append(literal)
    out = []
    for (_, name), literals in groups.items():
        total = sum(item.end - item.start for item in literals)
        if total < REPORT_FROM:
            continue
        out.append(
            EmbeddedData(
                name,
                len(literals),
                total,
                source.position(literals[0].start)[0],
                source.position(literals[-1].end)[0],
                sum(
                    part.end - part.start
                    for item in literals
                    for part in item.parts or (item,)
                    if part.start in hoisted
                ),
            )
        )
    return out


def _holder(node: Node, source: Source) -> tuple[int, str]:
    """Where the holder begins, and its name: a variable, a property, or the call it is for."""
    item: Node = node
    while item.parent is not None:
        parent = item.parent
        if parent.type == "variable_declarator":
            return parent.start, _short(source, parent.children[0])
        if parent.type in {"assignment_expression", "field_definition"}:
            return parent.start, _short(source, parent.children[0])
        if parent.type == "arguments" and parent.parent is not None:
            return parent.start, f"an argument of {_short(source, parent.parent.children[0])}()"
        if parent.type == "return_statement":
            return parent.start, "a returned value"
        if parent.type == "export_statement":
            return parent.start, "the default export"
        item = parent
    return item.start, "the step"


def _short(source: Source, node: Node) -> str:
    text = " ".join(source.string(node.start, min(node.end, node.start + 80)).split())
    return text if len(text) <= 40 else f"{text[:39]}…"
