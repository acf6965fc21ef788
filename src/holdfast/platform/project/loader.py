"""Reads YAML: safe values only, with a limit for nesting."""

from __future__ import annotations

import yaml
from yaml.composer import ComposerError
from yaml.nodes import Node

#: Levels of lists and maps. We count, because Python's own limit depends on its version.
DEEPEST = 100


class SafeLoader(yaml.SafeLoader):
    """PyYAML's safe loader with a limit for nesting: a yaml.MarkedYAMLError names the place."""

    def __init__(self, stream: str | bytes) -> None:
        super().__init__(stream)
        self._levels = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        self._levels += 1
        if self._levels > DEEPEST and self.check_event(yaml.CollectionStartEvent):
            message = f"nested too deeply: more than {DEEPEST} levels"
            raise ComposerError(None, None, message, self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        node = super().compose_node(parent, index)
        self._levels -= 1
        return node
