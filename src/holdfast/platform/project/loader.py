"""Reads YAML: safe values only, with limits for nesting and for what aliases stand for."""

from __future__ import annotations

import yaml
from yaml.composer import ComposerError
from yaml.nodes import CollectionNode, MappingNode, Node

#: Levels of lists and maps. We count, because Python's own limit depends on its version.
DEEPEST = 100
#: Values that aliases may repeat. A few lines of aliases of aliases stand for more than any memory
#: holds.
MOST_REPEATED = 200_000


class SafeLoader(yaml.SafeLoader):
    """PyYAML's safe loader with limits: a yaml.MarkedYAMLError names the place."""

    def __init__(self, stream: str | bytes) -> None:
        super().__init__(stream)
        self._levels = 0
        #: How many values a node stands for, by its identity. Of one under way nothing is known.
        self._values: dict[int, int] = {}

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        self._levels += 1
        if self._levels > DEEPEST and self.check_event(yaml.CollectionStartEvent):
            message = f"nested too deeply: more than {DEEPEST} levels"
            raise ComposerError(None, None, message, self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        self._levels -= 1
        if node is not None and id(node) not in self._values:
            if alias:
                raise ComposerError(None, None, "an alias stands within itself", node.start_mark)
            self._values[id(node)] = self._count(node)
        return node

    def _count(self, node: Node) -> int:
        """Raises ComposerError."""
        items = node.value if isinstance(node, CollectionNode) else ()
        parts = (
            [part for pair in items for part in pair] if isinstance(node, MappingNode) else items
        )
        many = 1 + sum(self._values[id(part)] for part in parts)
        if many > len(self._values) + MOST_REPEATED:
            message = f"too much: aliases repeat more than {MOST_REPEATED:,} values"
            raise ComposerError(None, None, message, node.start_mark)
        return many
