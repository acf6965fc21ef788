"""Moves data out of a step's code into a collection, so that the step does the same as before.

A first operation of the step reads the items again, into a variable that holds what the literal
was. So only data can be moved that nothing reads while the code is loaded: everything that uses it
must be in functions that operations call. What cannot be proven is refused, with the reason. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import NamedTuple

from holdfast.checking.literal import Items, UnmovableError, items_of
from holdfast.compiler.analysis import Reading, read
from holdfast.compiler.embedded import Literal
from holdfast.compiler.names import WORLD
from holdfast.compiler.scope import Use, Uses
from holdfast.compiler.source import Source
from holdfast.compiler.tree import FUNCTIONS, Node, name_of, outer

#: Bytes; smaller data is not worth a request.
LEAST = 4096
#: Characters of a literal that a preview shows.
_SHOWN = 40
_CONTAINERS = frozenset({"pair", "object", "array", "parenthesized_expression"})
_EMPTY = {"list": "[]", "map": "{}", "text": "''"}
_ADDS = {
    "list": "{name}.push({value})",
    "map": "{name}[{key}] = {value}",
    "text": "{name} += {value}",
}
#: What every adaptor has; not all of them say so.
_OPERATIONS = frozenset({"fn", "alterState"})
_AT_LOAD = "the step uses it while it is loaded (line {line}), and not only in its operations"


class Data(NamedTuple):
    """Data of a step. `declaration`: where that of its variable begins, at the top of the code.
    `reason`: why it cannot be moved; empty: it can."""

    name: str
    literal: Literal
    line: int
    declaration: int | None
    items: Items
    reason: str = ""

    @property
    def declared(self) -> bool:
        return self.declaration is not None


class Edit(NamedTuple):
    """What stands between two byte offsets instead."""

    start: int
    end: int
    text: str


class Moved(NamedTuple):
    """The new code; before and after with data cut short; what goes into the collection."""

    code: str
    before: str
    after: str
    items: list[tuple[str, str]]


class Step:
    """The code of a step and its data, the largest first.

    `operations`: names that give one, as the step's adaptor says; empty: it says nothing.
    """

    def __init__(self, text: str, operations: Collection[str] = ()) -> None:
        self.source = Source.of(text)
        self.reading = read(self.source, smallest=LEAST)
        self.data: list[Data] = []
        self._operations = _OPERATIONS.union(operations) if operations else None
        if self.reading.root is None:
            return
        self._uses = Uses(self.reading.root, self.source.text, everywhere=True)
        self._by_name: dict[str, list[Use]] = defaultdict(list)
        for use in self._uses.uses:
            if use.scope.declaring(use.name) is self._uses.module:
                self._by_name[use.name].append(use)
        found = [self._data(item, node) for item, node in _large(self.reading)]
        self.data = sorted(found, key=lambda item: item.literal.start - item.literal.end)

    def _data(self, literal: Literal, node: Node) -> Data:
        text = self.source.text
        declarator = _declarator(node)
        line = self.source.position(literal.start)[0]
        named = declarator or node.parent
        child = None
        while named is not None and child is None:
            child = named.child("name") if named.type == "variable_declarator" else None
            named = named.parent
        known = child is not None and child.type == "identifier"
        name = name_of(child, text) if known and child is not None else "data"
        whole = declarator.parent if known and declarator is not None else None
        declaration = whole.start if whole is not None else None
        try:
            items = items_of(self.source.string(literal.start, literal.end))
        except UnmovableError as error:
            return Data(name, literal, line, declaration, Items("list", []), str(error))
        reason = self._refusal(node, name if whole is not None else None, items.kind)
        return Data(name, literal, line, declaration, items, reason)

    def _refusal(self, node: Node, declared: str | None, kind: str) -> str:
        root, module = self.reading.root, self._uses.module
        assert root is not None, "data is found in code that can be read"
        if any(child.type == "export_statement" for child in root.children):
            return "the step is a module with exports of its own"
        if {"fn", "collections"} & module.names:
            return "the step gives fn or collections a meaning of its own"
        if declared is not None:
            place = self._at_load(declared, function=False)
            if kind == "text" and not _alone(node):
                return "its variable is declared together with others"
        else:
            when = self._when(node, function=False)
            place = node.start if when is None else self._at_load(when, function=True)
        return "" if place is None else _AT_LOAD.format(line=self.source.position(place)[0])

    def _at_load(self, name: str, *, function: bool) -> int | None:
        """A place that uses the name while the code is loaded; None: there is none."""
        todo, seen = [(name, function)], {name, ""}
        while todo:
            name, function = todo.pop()
            for use in self._by_name.get(name, ()):
                when = self._when(use.node, function=function)
                if when is None:
                    return use.node.start
                if when not in seen:
                    seen.add(when)
                    todo.append((when, True))
        return None

    def _when(self, node: Node, *, function: bool) -> str | None:
        """When a place is read. Empty: when an operation runs. A name: when that function of the
        step is called. None: when the code is loaded. `function`: the node is itself one."""
        outermost = node if function else None
        item: Node | None = node.parent
        while item is not None:
            outermost = item if item.type in FUNCTIONS else outermost
            item = item.parent
        if outermost is None:
            return None
        whole = outer(outermost)
        parent = whole.parent
        own: Node | None = None
        if outermost.type.endswith("_declaration") and parent is not None:
            own = outermost.child("name") if parent.type == "program" else None
        elif (declarator := _declarator(outermost)) is not None:
            own = declarator.child("name")
        if own is not None:
            return name_of(own, self.source.text) if own.type == "identifier" else None
        return "" if self._is_for_operation(whole) else None

    def _is_for_operation(self, item: Node) -> bool:
        """Whether it is an argument of an operation at the top of the code: used later."""
        called = False
        while item.parent is not None:
            parent = item.parent
            if parent.type == "call_expression" and item.type == "arguments":
                if not self._gives_operation(parent.child("function")):
                    return False
                called = True
            elif parent.type == "expression_statement":
                return called and parent.parent is not None and parent.parent.type == "program"
            elif parent.type != "arguments" and parent.type not in _CONTAINERS:
                return False
            item = parent
        return False

    def _gives_operation(self, callee: Node | None) -> bool:
        """What does comes from an adaptor: it is neither declared here nor JavaScript's. What the
        members of an object do, nobody says, but for `collections`."""
        if callee is not None and callee.type == "member_expression":
            owner = callee.child("object")
            return owner is not None and name_of(owner, self.source.text) == "collections"
        if callee is None or callee.type != "identifier":
            return False
        name = name_of(callee, self.source.text)
        if name in self._uses.module.names or name in WORLD:
            return False
        return self._operations is None or name in self._operations

    def moved(self, data: Data, collection: str, prefix: str) -> Moved:
        """The step without this data. `prefix`: what its keys begin with in the collection."""
        root = self.reading.root
        assert root is not None, "data is found in code that can be read"
        start, end, kind = data.literal.start, data.literal.end, data.items.kind
        name = data.name if data.declared else self._free_name(data.name)
        first = next(child for child in root.children if child.type != "import_statement")
        edits = [Edit(first.start, first.start, _reads(name, kind, collection, prefix))]
        if (keyword := data.declaration) is not None:
            edits.append(Edit(start, end, _EMPTY[kind]))
            if kind == "text" and self.source.text.startswith("const", keyword):
                edits.append(Edit(keyword, keyword + len("const"), "let"))
        else:
            word = "let" if kind == "text" else "const"
            declaration = f"{word} {name} = {_EMPTY[kind]};\n"
            edits[0] = Edit(first.start, first.start, declaration + edits[0].text)
            use = name if kind == "text" else f"structuredClone({name})"
            edits.append(Edit(start, end, use))
        short = [
            Edit(item.start, item.end, self.source.string(item.start, item.start + _SHOWN) + "…")
            for item in self.reading.literals
        ]
        rest = [edit for edit in short if edit.start != start]
        pairs = [(prefix + key, value) for key, value in data.items.pairs]
        return Moved(
            self._edited(edits), self._edited(short), self._edited([*edits, *rest]), pairs
        )

    def _free_name(self, name: str) -> str:
        number, text = 1, self.source.string(0, len(self.source))
        while (free := f"{name}{number}") in text:
            number += 1
        return free

    def _edited(self, edits: Iterable[Edit]) -> str:
        parts: list[str] = []
        done = 0
        for edit in sorted(edits, key=lambda edit: edit[:2]):
            parts += [self.source.string(done, edit.start), edit.text]
            done = edit.end
        return "".join([*parts, self.source.string(done, len(self.source))])


def _reads(name: str, kind: str, collection: str, prefix: str) -> str:
    """The operation that reads the items. It leaves the state as it is. Its own names do not hide
    that of the data."""
    state, unused, value, key = (
        f"{word}1" if word == name else word for word in ("state", "_", "value", "key")
    )
    asked = f"'{prefix}*'" if prefix else "'*'"
    cut = f"\n    {key} = {key}.slice({len(prefix)});" if prefix and kind == "map" else ""
    arguments = f"{unused}, {value}, {key}" if kind == "map" else f"{unused}, {value}"
    quoted = collection.replace("\\", "\\\\").replace("'", "\\'")
    return (
        f"fn(async {state} => {{\n"
        f"  await collections.each('{quoted}', {asked}, ({arguments}) => {{{cut}\n"
        f"    {_ADDS[kind].format(name=name, key=key, value=value)};\n"
        f"  }})({{ ...{state} }});\n"
        f"  return {state};\n"
        "});\n"
    )


def _large(reading: Reading) -> list[tuple[Literal, Node]]:
    pairs = zip(reading.literals, reading.nodes, strict=True)
    return [(item, node) for item, node in pairs if item.end - item.start >= LEAST]


def _declarator(node: Node) -> Node | None:
    """The declarator at the top of the code whose value it is."""
    whole = outer(node)
    parent = whole.parent
    if whole.field != "value" or parent is None or parent.type != "variable_declarator":
        return None
    statement = parent.parent
    at_top = statement is not None and statement.parent is not None
    return parent if at_top and statement.parent.type == "program" else None  # type: ignore[union-attr]  # `at_top` says so


def _alone(node: Node) -> bool:
    """Whether its declaration has one variable."""
    declarator = _declarator(node)
    return declarator is None or declarator.parent is None or len(declarator.parent.children) == 1
