"""The words that pages have for values: states, conditions, kinds of lines. One place for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Condition of an edge -> when it is gone.
CONDITIONS = {
    "always": "always",
    "on_job_success": "on success",
    "on_job_failure": "on failure",
    "js_expression": "if",
}


def edge_words(edge: Mapping[str, Any]) -> str:
    """When an edge is gone: its label, or its condition."""
    if edge.get("condition_label"):
        return str(edge["condition_label"])
    kind = str(edge["condition_type"])
    words = CONDITIONS.get(kind, kind)
    return f"{words} {edge['condition_expression']}" if kind == "js_expression" else words
