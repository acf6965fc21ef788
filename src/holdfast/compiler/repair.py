"""Reads texts that tree-sitter misreads, mostly statements that end with their line.

ECMAScript inserts a semicolon at some line ends where tree-sitter continues the statement: before
`(`, `[`, a template, an operator. Each repair changes a copy that is only read, and never its
length. It counts only if the tree is sound afterwards. V8 still decides whether the text is right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from holdfast.compiler.tree import Node, convert, parse
from holdfast.model.patterns import loop

if TYPE_CHECKING:
    import tree_sitter

_GAP = re.compile(
    loop(
        r"[\s\x0b\x0c]",
        r"\xe2\x80[\xa8\xa9]|\xc2\xa0|\xef\xbb\xbf",
        r"//[^\n\r]*+",
        r"/\*(?s:.*?)\*/",
    ).encode()
)
#: White space of ECMAScript outside ASCII, line ends apart. (In a string it does not matter here.)
_SPACE = re.compile(
    rb"\xef\xbb\xbf|\xc2\xa0|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xaf]|\xe2\x81\x9f|\xe3\x80\x80"
)
_SEPARATOR = re.compile(rb"\xe2\x80[\xa8\xa9]")
_LONE_RETURN = re.compile(rb"\r(?!\n)")
_LONG_COMMENT = re.compile(rb"/\*(?s:.*?)\*/")
_LINE_END = re.compile(rb"[\n\r]|\xe2\x80[\xa8\xa9]")
#: An escape that only a tagged template may hold; tree-sitter refuses it even there.
_BAD_ESCAPE = re.compile(
    rb"(?<!\\)" + loop(r"\\\\").encode() + rb"\\(?:u(?!\{[0-9a-fA-F]+\}|[0-9a-fA-F]{4})"
    rb"|x(?![0-9a-fA-F]{2})|[1-9]|0(?=\d))"
)
_ROUNDS = 4
_ERRORS = 1000


def read_soundly(
    copy: bytes, place: Callable[[int], int] | None, embedded: frozenset[bytes]
) -> tuple[Node, bool]:
    """The tree of a text, and whether it can be trusted; see `convert` for the arguments.

    Raises TooCostlyError.
    """
    if copy.startswith(b"#!"):
        end = _LINE_END.search(copy)
        length = end.start() if end else len(copy)
        copy = b" " * length + copy[length:]
    if b"\r" in copy:
        copy = _LONE_RETURN.sub(b"\n", copy)
    if not copy.isascii():
        # Tree-sitter sees no line end behind these.
        copy = _SPACE.sub(lambda match: b" " * len(match[0]), copy)
    tree, sound = parse(copy), True
    if b"\xe2\x80" in copy and (lines := _SEPARATOR.sub(b"  \n", copy)) != copy:
        # Tree-sitter does not let these end a comment. In a string they are no line ends.
        separated = parse(lines)
        if not is_broken(separated):
            tree, copy = separated, lines
    for _ in range(_ROUNDS):
        if is_broken(tree):
            repaired = _first_sound(copy, tree)
            if repaired is None:
                sound = False
                break
            tree, copy = repaired
        root, misread = convert(tree, copy, place, embedded)
        again = _join(_separate(copy, misread.overrun), misread.words)
        if again == copy:
            return root, True
        copy, tree = again, parse(again)
    root, misread = convert(tree, copy, place, embedded)
    return root, sound and not is_broken(tree) and not misread.overrun


def is_broken(tree: tree_sitter.Tree) -> bool:
    """Whether the tree cannot be trusted. A missing semicolon is not an error: ECMAScript inserts
    one there, if the text is correct."""
    return next(_errors(tree), None) is not None


def _errors(tree: tree_sitter.Tree) -> Iterator[tree_sitter.Node]:
    stack = [tree.root_node] if tree.root_node.has_error else []
    while stack:
        node = stack.pop()
        if node.is_error or (node.is_missing and node.type != ";"):
            yield node
        elif not node.is_missing:
            stack.extend(child for child in reversed(node.children) if child.has_error)


def _first_sound(copy: bytes, tree: tree_sitter.Tree) -> tuple[tree_sitter.Tree, bytes] | None:
    """The first repair after which the tree is sound."""
    ends, inner = set[int](), set[int]()
    for number, error in enumerate(_errors(tree)):
        if number == _ERRORS:
            return None
        ends.add(error.end_byte)
        inner.update(child.end_byte for child in error.children)
    blotted = _BAD_ESCAPE.sub(lambda match: b"_" * len(match[0]), copy)
    # A comment that holds a line end is one.
    uncommented = _LONG_COMMENT.sub(lambda match: _blank(_SEPARATOR.sub(b"  \n", match[0])), copy)
    candidates = [blotted, _separate(copy, ends), _separate(copy, ends | inner), uncommented]
    tried = {copy}
    for candidate in candidates:
        if candidate in tried:
            continue
        tried.add(candidate)
        again = parse(candidate)
        if not is_broken(again):
            return again, candidate
    return None


def _separate(copy: bytes, ends: Iterable[int]) -> bytes:
    """Put a semicolon into each gap that begins at one of `ends` and has a line end."""
    changed: bytearray | None = None
    for end in ends:
        match = _GAP.match(copy, end)
        if match is None or not _LINE_END.search(match[0]) or match.end() == len(copy):
            continue
        changed = changed or bytearray(copy)
        changed[match.start() : match.end()] = b";" + _blank(match[0])[1:]
    return copy if changed is None else bytes(changed)


def _join(copy: bytes, ends: Iterable[int]) -> bytes:
    """Remove line ends and comments after a word that continues, and give it one meaning."""
    changed: bytearray | None = None
    for end in ends:
        match = _GAP.match(copy, end)
        if match is not None and match[0].strip(b" "):
            changed = changed or bytearray(copy)
            changed[match.start() : match.end()] = b" " * len(match[0])
        if copy[end - 5 : end] == b"await":
            # An operator of the same rank that is never read as the name of a function.
            changed = changed or bytearray(copy)
            changed[end - 5 : end] = b"void "
    return copy if changed is None else bytes(changed)


def _blank(text: bytes) -> bytes:
    """Spaces and line ends only."""
    return bytes(byte if byte in b"\n\r" else 0x20 for byte in text)
