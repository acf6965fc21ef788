"""Finds the declaration of each name, by the reference's rules (`docs/spec/compiler.md` 8).

Scopes are the module, each function and each catch clause. Blocks, loops and classes are not
scopes: their declarations belong to the function around them, at any depth.
"""

from __future__ import annotations

from holdfast.compiler.tree import FUNCTIONS, Node, is_top_level_object, name_of

_DECLARATIONS = frozenset(
    {"function_declaration", "generator_function_declaration", "class_declaration"}
)
_IDENTIFIERS = frozenset(
    {"identifier", "shorthand_property_identifier", "shorthand_property_identifier_pattern"}
)


#: Nodes that declare something, or are a scope.
_SCOPED = (
    _DECLARATIONS
    | FUNCTIONS
    | {
        "variable_declarator",
        "for_in_statement",
        "catch_clause",
        "class",
    }
)
#: Nodes with a meaning here; of others only the children matter.
_NOTED = _SCOPED | _IDENTIFIERS | {"import_statement", "export_statement", "object"}


class Scope:
    """Declared names of the module, a function or a catch clause (or the own name of a class)."""

    __slots__ = ("kind", "names", "parent", "start")

    def __init__(self, kind: str, parent: Scope | None, start: int = 0) -> None:
        self.kind = kind
        self.start = start
        self.parent = parent
        self.names: set[str] = set()

    def declares(self, name: str) -> bool:
        """Whether this scope or one around it declares the name."""
        return self.declaring(name) is not None

    def declaring(self, name: str) -> Scope | None:
        """The nearest scope that declares the name."""
        scope: Scope | None = self
        while scope is not None and name not in scope.names:
            scope = scope.parent
        return scope

    def hides_dollar(self) -> bool:
        """Whether a function or catch clause declares `$` (the module does not hide it)."""
        scope: Scope | None = self
        while scope is not None:
            if scope.kind in {"function", "catch"} and "$" in scope.names:
                return True
            scope = scope.parent
        return False


class Use:
    """An identifier that is not a declaration, and the scope it stands in."""

    __slots__ = ("name", "node", "scope")

    def __init__(self, node: Node, name: str, scope: Scope) -> None:
        self.node = node
        self.name = name
        self.scope = scope


class Uses:
    """All identifiers of a module that are not declarations, in the order of the text.

    `everywhere`: also those in the object literals that the compiler leaves as they are.
    """

    def __init__(self, root: Node, text: str, *, everywhere: bool = False) -> None:
        self.module = Scope("module", None)
        self.uses: list[Use] = []
        #: What the author imports.
        self.imported: set[str] = set()
        #: `import { defer as _defer } from "@openfn/runtime"` stands there already.
        self.helper_imported = False
        self._text = text
        self._everywhere = everywhere
        self._bindings: set[Node] = set()
        self._walk(root)

    def _walk(self, root: Node) -> None:
        """Visit everything in the order of the text. A scope on the stack holds for everything
        after it on the stack."""
        text, bindings, found = self._text, self._bindings, self.uses
        scope = self.module
        stack: list[Node | Scope] = [root]
        while stack:
            node = stack.pop()
            if isinstance(node, Scope):
                scope = node
                continue
            kind = node.type
            if kind not in _NOTED:
                stack.extend(node.children[::-1])
            elif kind in _IDENTIFIERS:
                if node not in bindings:
                    found.append(Use(node, name_of(node, text), scope))
            elif kind == "import_statement":
                self._imported(node)
            elif kind == "export_statement":
                stack.extend(_exported(node)[::-1])
            elif kind != "object":
                scope = self._descend(node, scope, stack)
            elif self._everywhere or not is_top_level_object(node):
                stack.extend(node.children[::-1])

    def _descend(self, node: Node, scope: Scope, stack: list[Node | Scope]) -> Scope:
        """Put the children on the stack, each with its scope; returns that of the first."""
        inner = self._enter(node, scope)
        if inner is scope:
            stack.extend(node.children[::-1])
            return scope
        stack.append(scope)
        for child in reversed(node.children):
            # The name and the computed key of a function stand outside it.
            outside = child.field == "name" and node.type in FUNCTIONS
            stack += [inner, child, scope] if outside else [child]
        return inner

    def _enter(self, node: Node, scope: Scope) -> Scope:
        """The scope of a node's children, with what the node itself declares put in place."""
        kind = node.type
        if kind == "variable_declarator" or kind in _DECLARATIONS:
            self._bind(node.child("name"), scope)
        elif kind == "for_in_statement" and (
            node.has("const") or node.has("let") or node.has("var")
        ):
            self._bind(node.child("left"), scope)
        if kind in FUNCTIONS:
            scope = Scope("function", scope, node.start)
            if kind in {"function_expression", "generator_function"}:
                self._bind(node.child("name"), scope)
            self._bind(node.child("parameter"), scope)
            parameters = node.child("parameters")
            for child in parameters.children if parameters else []:
                self._bind(child, scope)
        elif kind == "catch_clause":
            scope = Scope("catch", scope, node.start)
            parameter = node.child("parameter")
            if parameter is not None:
                for name in self._pattern(parameter):
                    scope.names.add(name)
        elif kind == "class":
            scope = Scope("class", scope, node.start)
            name_node = node.child("name")
            if name_node is not None:
                self._bindings.add(name_node)
                scope.names.add(name_of(name_node, self._text))
        return scope

    def _bind(self, pattern: Node | None, scope: Scope) -> None:
        """Declare every name of a pattern in the function or module around it."""
        if pattern is None:
            return
        for name in self._pattern(pattern):
            target: Scope | None = scope
            while target is not None and target.kind in {"catch", "class"}:
                if target.kind == "catch" and name in target.names:
                    break
                target = target.parent
            if target is not None:
                target.names.add(name)

    def _pattern(self, pattern: Node) -> list[str]:
        names = []
        stack = [pattern]
        while stack:
            node = stack.pop()
            kind = node.type
            if kind in _IDENTIFIERS:
                self._bindings.add(node)
                names.append(name_of(node, self._text))
            elif kind in {"object_pattern", "array_pattern", "rest_pattern"}:
                stack.extend(node.children)
            elif kind == "pair_pattern":
                stack.extend(child for child in node.children if child.field == "value")
            elif kind in {"assignment_pattern", "object_assignment_pattern"}:
                stack.extend(child for child in node.children if child.field == "left")
        return names

    def _imported(self, node: Node) -> None:
        for clause in node.children:
            if clause.type != "import_clause":
                continue
            for part in clause.children:
                if part.type == "identifier":
                    self.imported.add(name_of(part, self._text))
                elif part.type == "namespace_import":
                    self.imported.update(name_of(item, self._text) for item in part.children)
                elif part.type == "named_imports":
                    for item in part.children:
                        local = item.child("alias") or item.child("name")
                        if local is not None and local.type == "identifier":
                            self.imported.add(name_of(local, self._text))
                        if local is not None and _is_helper(node, item, self._text):
                            self.helper_imported = True
        self.module.names |= self.imported


def _is_helper(statement: Node, item: Node, text: str) -> bool:
    origin, alias = statement.child("source"), item.child("alias")
    if origin is None or alias is None:
        return False
    return (
        text[origin.start + 1 : origin.end - 1] == "@openfn/runtime"
        and text[item.start : item.end].split(maxsplit=1)[0] == "defer"
        and text[alias.start : alias.end] == "_defer"
    )


def _exported(node: Node) -> list[Node]:
    """The children of an export that can hold uses. The names of a list with `from` cannot, nor
    the outer names of a list without it."""
    if node.child("source") is not None:
        return []
    out: list[Node] = []
    for child in node.children:
        if child.type == "export_clause":
            names = [specifier.child("name") for specifier in child.children]
            out.extend(name for name in names if name is not None)
        else:
            out.append(child)
    return out
