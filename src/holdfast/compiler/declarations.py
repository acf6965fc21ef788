"""What an adaptor exports, from its type declarations (`docs/spec/compiler.md` section 11).

Pure: the caller reads the files. Importing this loads the TypeScript grammar, which the
compilation of jobs does not need.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable

import tree_sitter
import tree_sitter_typescript

from holdfast.compiler.job import CompileError

LANGUAGE = tree_sitter.Language(tree_sitter_typescript.language_typescript())
#: Gives the text of a file of the package by its path; None if there is no such file.
Reader = Callable[[str], "str | None"]
_FUNCTIONS = frozenset({"function_signature", "function_declaration"})
_NAMESPACES = frozenset({"internal_module", "module"})


def adaptor_exports(package_json: str | None, read: Reader) -> list[str]:
    """The names that a package exports. An empty list means that they are unknown.

    Raises CompileError if the package names missing declarations, or is not a package.
    """
    if package_json is None:
        message = "the adaptor has no package.json"
        raise CompileError(message)
    try:
        manifest = json.loads(package_json)
    except ValueError as error:
        message = f"the adaptor's package.json is no JSON: {error}"
        raise CompileError(message) from None
    types = manifest.get("types") if isinstance(manifest, dict) else None
    if not isinstance(types, str) or not types:
        return []
    path = posixpath.normpath(types)
    names = dict.fromkeys(declared_exports(_required(read, path), ambient=path.endswith(".d.ts")))
    folder = posixpath.dirname(path)
    for name in ("adaptor.d.ts", "Adaptor.d.ts"):
        beside = posixpath.join(folder, name)
        if beside == path or (text := read(beside)) is None:
            continue
        names.update(dict.fromkeys(declared_exports(_filled(text, beside))))
        break
    return list(names)


def _required(read: Reader, path: str) -> str:
    text = read(path)
    if text is None:
        message = f"the adaptor's declarations are missing: {path}"
        raise CompileError(message)
    return _filled(text, path)


def _filled(text: str, path: str) -> str:
    if not text:
        message = f"the adaptor's declarations are empty: {path}"
        raise CompileError(message)
    return text


def declared_exports(text: str, *, ambient: bool = True) -> list[str]:
    """The exported functions, and the exports that come from elsewhere, of one file.

    `ambient`: it is a declaration file. A file that cannot be read gives an empty list.
    """
    raw = text.encode("utf-8", "replace")
    root = tree_sitter.Parser(LANGUAGE).parse(raw).root_node
    if root.has_error:
        return []
    return _Module(root, ambient=ambient).exports()


class _Module:
    """Declarations of a file or namespace."""

    def __init__(self, body: tree_sitter.Node, *, ambient: bool, nested: bool = False) -> None:
        self._statements = [child for child in body.named_children if child.type != "comment"]
        self._nested = nested
        self._functions: list[str] = []
        self._members: list[str] = []
        self._imported: set[str] = set()
        self._local_functions: set[str] = set()
        self._local: set[str] = set()  # whatever is declared here, of any kind
        # In a declaration file that has no export list and no `export default x` or `export = x`,
        # every declaration is exported (TypeScript's export context).
        listed = any(_is_export_list(item) for item in self._statements)
        self._implicit = ambient and not listed
        self._ambient = ambient

    def exports(self) -> list[str]:
        """Functions first, then the rest; without repeats."""
        if not self._nested and not any(
            item.type in {"export_statement", "import_statement"} for item in self._statements
        ):
            return []  # a script, not a module
        for item in self._statements:
            self._import(item)
            self._local.update(_declared_names(item))
            self._declare(item, exported=self._implicit)
        rest: list[str] = []
        for item in self._statements:
            if item.type == "export_statement":
                rest += self._listed(item)
        return list(dict.fromkeys([*self._functions, *rest, *self._members]))

    def functions(self) -> list[str]:
        """The exported functions of a namespace."""
        self.exports()
        return self._functions

    def _import(self, item: tree_sitter.Node) -> None:
        if item.type != "import_statement":
            return
        for node in _descendants(item, {"import_clause"}):
            for part in node.named_children:
                if part.type == "identifier":
                    self._imported.add(_text(part))
                elif part.type == "namespace_import":
                    self._imported.update(_text(name) for name in part.named_children)
        for node in _descendants(item, {"import_specifier"}):
            local = node.child_by_field_name("alias") or node.child_by_field_name("name")
            if local is not None:
                self._imported.add(_text(local))

    def _declare(self, item: tree_sitter.Node, *, exported: bool) -> None:
        kind = item.type
        if kind == "export_statement":
            inner = item.child_by_field_name("declaration")
            if inner is not None and not _has_word(item, "default"):
                self._declare(inner, exported=True)
        elif kind in {"ambient_declaration", "expression_statement"}:
            for child in item.named_children:
                self._declare(child, exported=exported)
        elif kind in _FUNCTIONS:
            name = item.child_by_field_name("name")
            if name is not None:
                self._local_functions.add(_text(name))
                if exported:
                    self._functions.append(_text(name))
        elif kind in _NAMESPACES and exported:
            name, body = item.child_by_field_name("name"), item.child_by_field_name("body")
            if name is not None and body is not None and name.type == "identifier":
                inside = _Module(body, ambient=self._ambient, nested=True)
                self._members += [f"{_text(name)}.{member}" for member in inside.functions()]

    def _listed(self, item: tree_sitter.Node) -> list[str]:
        """The names of an export list, or of `export * as ns`."""
        foreign = item.child_by_field_name("source") is not None
        out: list[str] = []
        for part in item.named_children:
            if part.type == "namespace_export":
                out += [_text(name) for name in part.named_children]
            elif part.type == "export_clause":
                for specifier in part.named_children:
                    out += self._specified(specifier, foreign=foreign)
        return [name for name in out if name != "default"]

    def _specified(self, specifier: tree_sitter.Node, *, foreign: bool) -> list[str]:
        if specifier.type != "export_specifier":
            return []
        words = [_text(child).strip("\"'") for child in specifier.children if child.type != "as"]
        words = [word for word in words if word != "type"] or words
        local, outer = words[0], words[-1]
        if outer == "default":
            return []
        if foreign or local in self._imported:
            return [outer]
        if local in self._local_functions:
            return [local]
        # Declared nowhere: TypeScript cannot resolve it, so it counts as coming from elsewhere
        # (`export { _ }` of language-common).
        return [] if local in self._local else [outer]


def _declared_names(item: tree_sitter.Node) -> list[str]:
    """Names that a statement declares at its own level."""
    if item.type in {"export_statement", "ambient_declaration", "expression_statement"}:
        return [name for child in item.named_children for name in _declared_names(child)]
    if item.type in {"lexical_declaration", "variable_declaration"}:
        return [_text(name) for name in _descendants(item, {"identifier"})]
    name = item.child_by_field_name("name")
    return [] if name is None else [_text(name)]


def _is_export_list(item: tree_sitter.Node) -> bool:
    """`export { … }`, `export * …`, `export default <expression>`, `export = …`."""
    if item.type != "export_statement":
        return False
    return item.child_by_field_name("declaration") is None


def _has_word(item: tree_sitter.Node, word: str) -> bool:
    return any(child.type == word for child in item.children)


def _descendants(node: tree_sitter.Node, kinds: set[str]) -> list[tree_sitter.Node]:
    found = []
    stack = [node]
    while stack:
        item = stack.pop()
        if item.type in kinds:
            found.append(item)
        stack.extend(item.named_children)
    return found


def _text(node: tree_sitter.Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")
