"""Free names of a module, and which of them an adaptor gives (`docs/spec/compiler.md` 8)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from holdfast.compiler.scope import Use
from holdfast.compiler.tree import Node, in_chain, outer

#: A name that contains one of these is never assumed to be an adaptor's, as in the reference. (It
#: probably meant whole names, but jobs depend on it.) The list is that of the specification.
_GLOBAL_LIKE = (
    "AggregateError|Array|ArrayBuffer|AsyncFuction|AsyncGenerator|atob|Atomics|BigInt|Blob|Boolean"
    "|btoa|Buffer|clearInterval|clearTimeout|console|DataView|Date|decodeURI|encodeURI|Error|eval"
    "|Event|exports|FinalizationRegistry|Float32Array|Float64Array|Function|Generator|global"
    "|Infinity|Int16Array|Int32Array|Int8Array|isFinite|isNaN|JSON|Map|Math|module|Number|Object"
    "|parseFloat|parseInt|process|Promise|Proxy|Reflect|RegExp|require|Set|setInterval|setTimeout"
    "|SharedArrayBuffer|state|String|Symbol|TypedArray|Uint16Array|Uint32Array|Uint8Array"
    "|Uint8ClampedArray|URL|WeakMap|WeakRef"
)
#: What every object has is never imported.
INHERITED = frozenset(
    {
        "constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable",
        "toLocaleString", "toString", "valueOf", "__defineGetter__", "__defineSetter__",
        "__lookupGetter__", "__lookupSetter__", "__proto__",
    }
)  # fmt: skip
#: Words that no import can bind in a module.
RESERVED = frozenset(
    {
        "arguments", "await", "break", "case", "catch", "class", "const", "continue",
        "debugger", "default", "delete", "do", "else", "enum", "eval", "export", "extends",
        "false", "finally", "for", "function", "if", "implements", "import", "in",
        "instanceof", "interface", "let", "new", "null", "package", "private", "protected",
        "public", "return", "static", "super", "switch", "this", "throw", "true", "try",
        "typeof", "undefined", "NaN", "var", "void", "while", "with", "yield",
    }
)  # fmt: skip
_MEMBER = frozenset({"member_expression", "subscript_expression"})


#: Names that job code has without an import: the language's own, then docs/spec/runtime.md 4.6 and
#: docs/compatibility.md 5, then our own.
WORLD = frozenset(
    {
        "AbortController", "AggregateError", "Array", "ArrayBuffer", "AsyncDisposableStack",
        "Atomics", "BigInt", "BigInt64Array", "BigUint64Array", "Blob", "Boolean", "Buffer",
        "DataView", "Date", "DisposableStack", "Error", "EvalError", "Event",
        "FinalizationRegistry", "Float16Array", "Float32Array", "Float64Array", "Function",
        "Infinity", "Int16Array", "Int32Array", "Int8Array", "Intl", "Iterator", "JSON", "Map",
        "Math", "NaN", "Number", "Object", "Promise", "Proxy", "RangeError", "ReferenceError",
        "Reflect", "RegExp", "Set", "SharedArrayBuffer", "String", "SuppressedError", "Symbol",
        "SyntaxError", "TextDecoder", "TextEncoder", "TypeError", "URIError", "URL",
        "URLSearchParams", "Uint16Array", "Uint32Array", "Uint8Array", "Uint8ClampedArray",
        "WeakMap", "WeakRef", "WeakSet", "WebAssembly", "atob", "btoa", "clearInterval",
        "clearTimeout", "console", "decodeURI", "decodeURIComponent", "encodeURI",
        "encodeURIComponent", "escape", "eval", "fetch", "globalThis", "isFinite", "isNaN",
        "meta", "parseFloat", "parseInt", "setInterval", "setTimeout", "state",
        "structuredClone", "undefined", "unescape", "idempotent",
    }
)  # fmt: skip
#: The mark of an operation (docs/author.md, "The same thing only once").
MARK = "idempotent"


def free_names(uses: Iterable[Use]) -> dict[str, Node]:
    """The names the module uses and does not declare, each with its first use, in their order."""
    found: dict[str, Node] = {}
    for use in uses:
        name = use.name
        if name in found or name in RESERVED or use.scope.declares(name):
            continue
        if _is_property(use.node) or _is_computed_key(use.node):
            continue
        found[name] = use.node
    return found


def _is_property(node: Node) -> bool:
    """Rule 3: the name, or a member expression it begins, is the property of the next one up."""
    while True:
        whole = outer(node)
        parent = whole.parent
        if parent is None or parent.type not in _MEMBER:
            return False
        if whole.field != "object":
            return not in_chain(node)
        if whole is not node and in_chain(node):
            return False
        node = parent


def _is_computed_key(node: Node) -> bool:
    """Rule 4, as far as it is kept: `x` in `{ [x]: 1 }`, not in a class."""
    key = outer(node).parent
    if key is None or key.type != "computed_property_name" or key.parent is None:
        return False
    owner = key.parent.parent
    return owner is None or owner.type != "class_body"


def wanted(
    free: Collection[str],
    exports: Sequence[str],
    ignore: Collection[str],
    taken: Collection[str],
) -> list[str]:
    """The names to import from one adaptor. `taken`: names that an earlier adaptor gives."""
    if exports:
        present = set(free)
        candidates = [name for name in dict.fromkeys(exports) if name in present]
    else:
        # Compiled only when needed, as it takes as long as a small job.
        global_like = re.compile(_GLOBAL_LIKE)
        candidates = [name for name in free if name != MARK and not global_like.search(name)]
    return [
        name
        for name in candidates
        if name not in ignore and name not in taken and name not in INHERITED
    ]
