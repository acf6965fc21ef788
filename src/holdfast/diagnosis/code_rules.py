"""Causes in the code itself: what cannot be read, names that mean nothing, `$` in a wrong place."""

from __future__ import annotations

import re
from collections.abc import Iterable

from holdfast.diagnosis.adaptors import ADAPTORS
from holdfast.diagnosis.ending import Ending, Found, shortened, texts
from holdfast.diagnosis.near import listed, nearest

#: Names by which libraries are known, and which.
_LIBRARIES = {
    "_": "lodash", "lodash": "lodash", "moment": "moment", "dayjs": "dayjs", "axios": "axios",
    "$http": "axios", "cheerio": "cheerio", "Papa": "papaparse", "XLSX": "xlsx", "uuid": "uuid",
    "request": "request", "R": "ramda",
}  # fmt: skip
_NODE = {
    "process": "Secrets and settings come in the step's credential: read `state.configuration`.",
    "fs": "There is no file access: fetch the data with an operation, or keep it in a collection.",
    "path": "There is no file access: build addresses with text.",
    "module": "Remove it: the operations of a step need no export.",
    "exports": "Remove it: the operations of a step need no export.",
    "__dirname": "There is no file access: fetch the data with an operation.",
    "__filename": "There is no file access: fetch the data with an operation.",
    "global": "Write `globalThis`, or keep the value in `state`.",
    "setImmediate": "Write `setTimeout(…, 0)`, or `await` the promise itself.",
    "queueMicrotask": "Write `Promise.resolve().then(…)`.",
    "crypto": "Use what the adaptor exports for it; common 3 exports `util.uuid`.",
}
_BROWSER = dict.fromkeys(
    ("window", "document", "localStorage", "sessionStorage", "navigator"),
    "There is no browser here: keep the value in `state`.",
) | {
    "DOMParser": "There is no browser here: let an adaptor read XML or HTML (`parseXML` of http).",
    "XMLHttpRequest": "Write `await fetch(…)`, or an operation of the http adaptor.",
    "alert": "Write `console.log(…)`: it goes into the run's log.",
}
#: Names that JavaScript itself has, for those who misspell them.
_JAVASCRIPT = (
    "Math", "JSON", "Object", "Date", "Array", "Promise", "Number", "String", "Boolean", "Set",
    "Map", "RegExp", "Error", "console", "fetch", "state", "undefined", "parseInt", "parseFloat",
    "isNaN", "setTimeout", "encodeURIComponent", "decodeURIComponent", "Buffer", "URL",
)  # fmt: skip
_DECLARED = re.compile(
    r"\b(?:const|let|var|function|class)\s+([A-Za-z_$][\w$]*)|([A-Za-z_$][\w$]*)\s*=>"
    r"|\(\s*([A-Za-z_$][\w$]*)\s*[,)]"
)
#: Operations of adaptors that are often used without their adaptor.
_ELSEWHERE = {
    "get": "http", "post": "http", "put": "http", "patch": "http", "del": "http",
    "request": "http", "create": "dhis2 or fhir", "upsert": "dhis2 or salesforce",
    "update": "dhis2 or salesforce", "sql": "postgresql or mysql", "query": "salesforce",
    "collections": "collections", "each": "common", "fn": "common", "combine": "common",
    "dataValue": "common", "lastReferenceValue": "common", "cursor": "common",
}  # fmt: skip
#: What adaptors export beside operations.
_NO_OPERATIONS = {
    "default",
    "beta",
    "http",
    "dateFns",
    "util",
    "metadata",
    "execute",
    "alterState",
}
_UNDEFINED = re.compile(r"(?:ReferenceError: )?(\S+) is not defined\b")
_STEP = re.compile(r"^[^\n]*?: (?=[A-Z'\"]|missing |await is )")


def syntax(end: Ending) -> Found | None:
    """The compiler's and V8's refusals."""
    if end.error_type != "CompileError":
        return None
    said = shortened(re.sub(r" \((?:line )?\d+(?::\d+)?\)$", "", end.message))
    if step := end.step:
        said = said.removeprefix(f"{step}: ")
    if "Lazy State Error: " in said:
        return _lazy(said.partition("Lazy State Error: ")[2])
    if "$ cannot wait" in said or "uses $ cannot" in said:
        return Found("HF1009")
    said = _STEP.sub("", said, count=1)
    if "cannot wait" in said or "default" in said or "the name " in said:
        advice = (
            "Wait in an operation of its own: `fn(async state => { await …; return state; })`."
        )
        if "cannot wait" not in said:
            advice = "Remove the export, or call the name something else."
        return Found("HF1015", {"said": said, "advice": advice})
    if "regular expression" in said:
        return Found("HF1012", {"said": said})
    return Found("HF1001", {"said": said, "advice": syntax_advice(said)})


def syntax_advice(said: str) -> str:
    """What to do about one of V8's messages."""
    for words, advice in _SYNTAX:
        if words in said:
            return advice
    return "Mend the line that is shown; the mistake may stand just before the caret."


_SYNTAX = (
    ("Unexpected end of input", "Something is opened and never closed: count the brackets ( [ { "
     "and close the missing one at the end."),
    ("missing ) after argument list", "Close the bracket ( of the call, or put the missing comma "
     "between its arguments."),
    ("Invalid or unexpected token", "Close the text with the quote it began with, and replace "
     "typographic quotes by ' or \"."),
    ("Unexpected token '<'", "HTML or XML stands where code is expected: put it into quotes, or "
     "remove it."),
    ("Unexpected token '.'", "Something is missing before the dot: write a name there."),
    ("Unexpected token '}'", "There is a } too many, or something before it is not finished."),
    ("Unexpected token ')'", "There is a ) too many, or something before it is not finished."),
    ("Unexpected identifier", "A comma, an operator or a bracket is missing just before this word."),
    ("await is only valid", "Write `async` before the function in which `await` stands: "
     "`fn(async state => …)`."),
    ("Unexpected reserved word", "Write `async` before the function in which `await` stands: "
     "`fn(async state => …)`."),
    ("Illegal return", "`return` can only stand in a function: put the code into "
     "`fn(state => { …; return state; })`."),
    ("has already been declared", "Give one of the two another name, or remove the second "
     "declaration."),
    ("Missing initializer", "Give the constant its value where it is declared, or write `let`."),
    ("Assignment to constant", "Write `let` instead of `const`, or do not assign to it again."),
    ("Unterminated template", "Close the text with the backtick ` it began with."),
)  # fmt: skip


_INSIDE = (
    "Move it into an operation, and read it from state: `fn(state => { const value = state.data; "
    "return state; })`."
)


def _lazy(said: str) -> Found:
    if "Must be inside" in said:
        return Found(
            "HF1007",
            {"said": "it stands outside of every operation's arguments", "advice": _INSIDE},
        )
    if "cannot wait" in said:
        return Found("HF1009")
    if "should be called" in said:
        name = re.search(r'parameter "([^"]*)"', said)
        words = f'whose parameter is called "{name[1]}"' if name else "of its own"
        return Found("HF1008", {"said": words})
    if "spread" in said:
        return Found("HF1007", {"said": "it is spread (…$) into the arguments", "advice": _INSIDE})
    return Found("HF1008", {"said": "that takes other arguments than one state"})


def mark(end: Ending) -> Found | None:
    """A call of `idempotent` with what it cannot use, in the words of the engine."""
    found = re.search(r"\b(idempotent (?:takes|needs) a name.*)", end.message)
    return found and Found("HF1019", {"said": found[1]})


def unknown_name(end: Ending) -> Found | None:
    """A ReferenceError: what the name could have meant."""
    found = _UNDEFINED.search(end.message)
    if found is None or "ReferenceError" not in f"{end.error_type} {end.message}":
        return None
    code = end.facts.get("code")
    own = _DECLARED.findall(code) if isinstance(code, str) else []
    declared = [name for names in own for name in names if name and name != found[1]]
    return name_found(found[1], end.exports, end.adaptor_names, declared)


def name_found(
    name: str, exports: list[str], adaptors: str, declared: Iterable[str] = ()
) -> Found:
    """The cause behind a name that nobody declares. `declared`: names of the code itself."""
    if name == "require":
        return Found("HF1004", {"adaptor": adaptors.partition(",")[0]})
    if name == "$":
        return Found(
            "HF1007",
            {
                "said": "it stands alone; only parts of it, such as $.data, are known",
                "advice": "Write `state => state` instead of $, or name a part of it: `$.data`.",
            },
        )
    if name in _NODE:
        return Found("HF1010", {"name": name, "world": "Node.js", "advice": _NODE[name]})
    if name in _BROWSER:
        return Found("HF1010", {"name": name, "world": "browsers", "advice": _BROWSER[name]})
    near = nearest(name, [*declared, *exports, "idempotent", *_JAVASCRIPT])
    if name in _LIBRARIES and not near:
        advice = (
            "Packages cannot be imported: write it in plain JavaScript (map, filter, Date, fetch), "
            "or use what the adaptor exports."
        )
        return Found("HF1003", {"name": name, "library": _LIBRARIES[name], "advice": advice})
    return Found(
        "HF1002", {"name": name, "adaptors": adaptors, "advice": _name_advice(name, exports, near)}
    )


def _name_advice(name: str, exports: list[str], near: list[str]) -> str:
    if near:
        return f"Write {near[0]} instead of {name}."
    if not near and (other := nearest(name, _ELSEWHERE)):
        return (
            f"Write {other[0]}, and give the step the adaptor that has it: {_ELSEWHERE[other[0]]}."
        )
    if name in _ELSEWHERE:
        return f"Give the step the adaptor that has it: {_ELSEWHERE[name]}."
    if exports:
        operations = sorted(set(exports) - _NO_OPERATIONS)
        return (
            f"Declare it, correct its spelling, or use what the adaptor has: {listed(operations)}."
        )
    return (
        f"Declare it (`const {name} = …`), correct its spelling, or name the adaptor that has it."
    )


def imports(end: Ending) -> Found | None:
    """What an import means that cannot be had."""
    message = end.message
    if blacklisted := re.search(r"module blacklisted: (\S+)", message):
        name = f" of {blacklisted[1]}"
        values = {"package": blacklisted[1], "name": name, "adaptors": end.adaptor_names}
        return Found("HF1005", values)
    if absent := re.search(
        r"The requested module '([^']+)' does not provide an export named '([^']+)'", message
    ):
        exports = [
            name
            for adaptor in end.adaptors
            if adaptor.get("name") == absent[1]
            for name in texts(adaptor.get("exports"))
        ]
        near = nearest(absent[2], exports)
        advice = (
            f"Write {near[0]} instead of {absent[2]}." if near
            else f"Import one of those it has: {listed(exports)}." if exports
            else "Look up in the adaptor's documentation what it exports."
        )  # fmt: skip
        return Found("HF1006", {"name": absent[2], "package": absent[1], "advice": advice})
    if end.error_type == "ImportError" or "Failed to import module" in message:
        package = re.search(r'Failed to import module "?([^\s"]+)', message)
        name = package[1] if package else ""
        near = nearest(name.rpartition("/language-")[2], ADAPTORS)
        if near and near[0] != name.rpartition("/language-")[2]:
            advice = f"Write @openfn/language-{near[0]}, and name it as the step's adaptor."
        else:
            advice = "Name it as the step's adaptor, with a version, and check the spelling."
        return Found("HF1502", {"package": name, "said": end.said, "advice": advice})
    return None


def structure(end: Ending) -> Found | None:
    """Code that loads, but is no list of operations, or does what no code may."""
    message = end.message
    if operation := re.search(
        r"InvalidOperationError: Invalid operation at statement (\d+)", message
    ):
        return Found("HF1014", {"number": str(int(operation[1]) + 1)})
    if "exports must be an array" in message:
        said = "it has an `export default` of its own that is no list of operations"
        advice = "Remove `export default`: operations stand at the top level of a step."
        return Found("HF1015", {"said": said, "advice": advice})
    if end.error_type == "SecurityError" or "EvalError" in message:
        if "system call" in message:
            return Found("HF1503", {"said": end.said})
        return Found("HF1011")
    if "Invalid regular expression" in message or "Invalid flags supplied to RegExp" in message:
        return Found(
            "HF1012", {"said": shortened(message.partition("SyntaxError: ")[2] or message)}
        )
    if early := re.search(r"Cannot access '([^']+)' before initialization", message):
        advice = f"Move the declaration of {early[1]} above the line that uses it."
        return Found(
            "HF1013", {"said": f"{early[1]} is used above its declaration", "advice": advice}
        )
    if "Assignment to constant variable" in message:
        advice = "Write `let` instead of `const` where it is declared."
        return Found("HF1013", {"said": "A constant is given another value", "advice": advice})
    return None
