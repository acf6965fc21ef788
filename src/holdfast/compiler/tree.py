"""The structure of a job's text: tree-sitter's tree, made small and given parents.

Tree-sitter finds the structure; V8 decides whether the text is correct. Comments and punctuation
are left out. `repair` corrects what tree-sitter misreads.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from holdfast.compiler.grammar import javascript

if TYPE_CHECKING:
    import tree_sitter

FUNCTIONS = frozenset(
    {
        "function_declaration",
        "generator_function_declaration",
        "function_expression",
        "generator_function",
        "arrow_function",
        "method_definition",
    }
)
#: Words without which these nodes cannot be told apart.
_TELLING_WORDS = {
    "export_statement": frozenset({"default", "*"}),
    "export_specifier": frozenset({"default"}),
    "namespace_export": frozenset({"default"}),
    "for_in_statement": frozenset({"const", "let", "var"}),
}
_CHUNK = 64 * 1024
_ESCAPE = re.compile(r"\\u(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{4}))")


#: Expressions that may end a statement although an operator or bracket follows on the next line,
#: and expressions that continue their first child.
_FINAL = frozenset(
    {"arrow_function", "update_expression", "function_expression", "generator_function", "class"}
)
_GOING_ON = frozenset(
    {
        "assignment_expression",
        "augmented_assignment_expression",
        "binary_expression",
        "call_expression",
        "member_expression",
        "sequence_expression",
        "subscript_expression",
        "ternary_expression",
        "update_expression",
    }
)
#: Keywords of modules that tree-sitter takes for names when a line end follows.
_KEYWORDS = frozenset({b"await", b"let"})
_KEYWORD_LENGTHS = frozenset({len(word) for word in _KEYWORDS})
#: What happens to a node of tree-sitter, by its kind: left out; kept if the parent has no meaning
#: without it; kept without its content (an identifier and others); kept.
_SKIPPED, _WORD, _IDENTIFIER, _WHOLE, _ENDING, _PLAIN = range(6)
#: Nodes whose content is never read.
_WHOLES = frozenset({"string", "regex", "number", "property_identifier", "hash_bang_line"})
#: Tree-sitter's kind for text that it could not read.
_ERROR = 0xFFFF
#: The children of a leaf; never changed.
_NONE: list[Node] = []


class Node:
    """A node of the tree; `start` and `end` are byte offsets in the author's text."""

    __slots__ = ("children", "end", "field", "parent", "start", "type")

    def __init__(
        self, kind: str, start: int, end: int, field: str | None, parent: Node | None
    ) -> None:
        self.type = kind
        self.start = start
        self.end = end
        self.field = field
        self.parent = parent
        self.children: list[Node] = _NONE

    def child(self, field: str) -> Node | None:
        """The child with this role."""
        for child in self.children:
            if child.field == field:
                return child
        return None

    def has(self, kind: str) -> bool:
        """Whether a direct child is of this type."""
        return any(child.type == kind for child in self.children)


class Misread(NamedTuple):
    """Places in the parsed text that tree-sitter misread: it continued an expression that cannot
    continue, or took a keyword for a name."""

    overrun: list[int]
    words: list[int]


class TooCostlyError(Exception):
    """Parsing the text takes more work than its size allows."""


@cache
def _language() -> tree_sitter.Language:
    # Loaded on first use. The supervisor imports this module for the compilers that its shims
    # fork, but must not load native code.
    import tree_sitter  # noqa: PLC0415

    return tree_sitter.Language(javascript())


def parse(text: bytes) -> tree_sitter.Tree:
    """Tree-sitter's tree. Raises TooCostlyError if recovery from errors takes too much work."""
    # Called about once in a hundred steps of the parser, so it limits the work exactly.
    budget = 2_000 + len(text) // 4
    calls = 0

    def progress(_offset: int, _has_error: bool) -> bool:
        nonlocal calls
        calls += 1
        return calls > budget  # true stops the parser

    # The budget is only honoured when the text is read through a function.
    import tree_sitter  # noqa: PLC0415

    parser = tree_sitter.Parser(_language())
    try:
        return parser.parse(
            lambda offset, _point: text[offset : offset + _CHUNK], progress_callback=progress
        )
    except ValueError:
        raise TooCostlyError from None


@cache
def _vocabulary() -> tuple[dict[int, tuple[int, str]], list[str | None]]:
    """Role and name of each kind by its number; the names of fields by theirs."""
    language = _language()
    words = frozenset[str]().union(*_TELLING_WORDS.values())
    kinds = {_ERROR: (_PLAIN, "ERROR")}
    for number in range(language.node_kind_count):
        kind = sys.intern(language.node_kind_for_id(number) or "")
        if not language.node_kind_is_named(number):
            role = _WORD if kind in words else _SKIPPED
        elif kind == "comment":
            role = _SKIPPED
        elif kind == "identifier":
            role = _IDENTIFIER
        else:
            role = _ENDING if kind in _FINAL else _WHOLE if kind in _WHOLES else _PLAIN
        kinds[number] = (role, kind)
    fields = range(1, language.field_count + 1)
    named = [sys.intern(language.field_name_for_id(number) or "") for number in fields]
    return kinds, [None, *named]


def convert(
    tree: tree_sitter.Tree,
    text: bytes,
    place: Callable[[int], int] | None,
    embedded: frozenset[bytes],
) -> tuple[Node, Misread]:
    """Our tree, from tree-sitter's tree of a text. `place` turns its offsets into the author's, if
    they differ.

    Identifiers whose text is among `embedded` come out as nodes of type `embedded`.
    """
    misread = Misread([], [])
    kinds, fields = _vocabulary()
    cursor = tree.walk()
    blank = Node.__new__
    enter, advance, leave = cursor.goto_first_child, cursor.goto_next_sibling, cursor.goto_parent
    top = cursor.node
    assert top is not None
    root = parent = Node(kinds[top.kind_id][1], top.start_byte, top.end_byte, None, None)
    if place is not None:
        root.start, root.end = place(root.start), place(root.end)
    siblings = root.children = []
    more = enter()
    while more:
        item = cursor.node
        assert item is not None
        role, kind = kinds[item.kind_id]
        if role > _WORD or (role == _WORD and kind in _TELLING_WORDS.get(parent.type, ())):
            end = item.end_byte
            node = blank(Node)  # its __init__ would take a sixth of this loop
            node.type, node.start, node.end = kind, item.start_byte, end
            node.field, node.parent = fields[cursor.field_id or 0], parent
            node.children = _NONE
            siblings.append(node)
            if role == _IDENTIFIER:
                # Not `item.text`, which asks the reader of the text again, piece by piece.
                if embedded and text[node.start : end] in embedded:
                    node.type = "embedded"
                elif end - node.start in _KEYWORD_LENGTHS and text[node.start : end] in _KEYWORDS:
                    misread.words.append(end)
            elif role == _ENDING and parent.type in _GOING_ON and _is_overrun(node, item):
                misread.overrun.append(end)
            if place is not None:
                node.start, node.end = place(node.start), place(end)
            if role > _WHOLE and enter():
                parent = node
                siblings = node.children = []
                continue
        while not advance():
            leave()
            if parent.parent is None:
                return root, misread
            parent = parent.parent
            siblings = parent.children
    return root, misread


def _is_overrun(node: Node, item: tree_sitter.Node) -> bool:
    """Whether this expression, with which its parent begins, cannot continue."""
    parent = node.parent
    if parent is None or parent.children[0] is not node:
        return False
    if node.type == "arrow_function":
        if parent.type == "sequence_expression":
            return False
        body = item.child_by_field_name("body")
        return body is not None and body.type == "statement_block"
    if node.type == "update_expression":
        return parent.type in {"call_expression", "member_expression", "subscript_expression"}
    while parent is not None and parent.type in _GOING_ON and parent.children[0] is node:
        node, parent = parent, parent.parent
    return parent is not None and parent.type == "export_statement" and node.field == "value"


def walk(node: Node, skip: Callable[[Node], bool] | None = None) -> Iterator[Node]:
    """The node and everything below it, in the order of the text; without the nodes in `skip`."""
    stack = [node]
    while stack:
        item = stack.pop()
        if skip is not None and skip(item):
            continue
        yield item
        stack.extend(reversed(item.children))


def bare(node: Node) -> Node:
    """The node without parentheses around it."""
    while node.type == "parenthesized_expression" and node.children:
        node = node.children[0]
    return node


def outer(node: Node) -> Node:
    """The node with all parentheses around it."""
    while node.parent is not None and node.parent.type == "parenthesized_expression":
        node = node.parent
    return node


def is_wait(node: Node, text: str) -> bool:
    """`await x` or `yield x`. What `repair` reads in place of `await` is another operator."""
    if node.type == "unary_expression":
        return text.startswith("await", node.start)
    return node.type in {"await_expression", "yield_expression"}


def is_call(node: Node) -> bool:
    """A call expression of ECMAScript: no `import()`, no tagged template."""
    if node.type != "call_expression":
        return False
    callee, arguments = node.child("function"), node.child("arguments")
    if callee is None or arguments is None or arguments.type != "arguments":
        return False
    return callee.type != "import"


def in_chain(node: Node, ends: Collection[Node] = ()) -> bool:
    """Whether an optional link (`?.`) stands in the chain that ends here, after any of `ends`."""
    while node not in ends and node.type in {
        "member_expression",
        "subscript_expression",
        "call_expression",
    }:
        if node.has("optional_chain"):
            return True
        node = node.children[0]
    return False


def is_top_level_object(node: Node) -> bool:
    """An object literal that directly initialises a variable declared directly at the top of the
    module: nothing in it is rewritten or counted (`docs/spec/compiler.md` section 2)."""
    if node.type != "object":
        return False
    node = outer(node)
    declarator = node.parent
    if node.field != "value" or declarator is None or declarator.type != "variable_declarator":
        return False
    declaration = declarator.parent
    return (
        declaration is not None
        and declaration.type in {"lexical_declaration", "variable_declaration"}
        and declaration.parent is not None
        and declaration.parent.type == "program"
    )


def name_of(node: Node, text: str) -> str:
    """An identifier's name, escapes resolved."""
    name = text[node.start : node.end]
    if name.isascii() and "\\" not in name:
        return name
    name = name.encode("latin-1").decode("utf-8", "replace")
    return _ESCAPE.sub(_unescape, name)


def _unescape(match: re.Match[str]) -> str:
    value = int(match[1] or match[2], 16)
    return chr(value) if value < 0x110000 else match[0]
