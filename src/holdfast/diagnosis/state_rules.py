"""Causes in what the code does with its state, and in what it throws."""

from __future__ import annotations

import re

from holdfast.diagnosis.ending import Ending, Found, objects, shortened, texts
from holdfast.diagnosis.entry import Turn
from holdfast.diagnosis.near import listed, nearest
from holdfast.diagnosis.paths import ending_expression, meant, shown, walked
from holdfast.diagnosis.promise_rules import before
from holdfast.model.adaptor_name import COLLECTIONS
from holdfast.model.json import Json, JsonObject

_READING = re.compile(
    r"Cannot (?:read|set) properties of (undefined|null)(?: \((reading|setting) '([^']*)'\))?"
)
_DESTRUCTURE = re.compile(
    r"Cannot destructure property '([^']+)' of '?([^']+?)'? as it is (undefined|null)"
)
_NO_FUNCTION = re.compile(
    r"(?:TypeError: )?(?:\(intermediate value\)\.?)?(\S+) is not a function\b"
)
_NOT_ITERABLE = re.compile(
    r"(?:TypeError: )?(.+?) is not (?:a function or its return value is not )?iterable\b"
)
_NOT_JSON = re.compile(
    r"(is not valid JSON|in JSON at position|JSON input|Unexpected token .* JSON)"
)
_OWN = ("Error", "JobError")


def no_state_before(end: Ending) -> Found | None:
    """A failure that comes from the operation before, which returned nothing."""
    operation = end.facts.get("operation")
    if not isinstance(operation, int) or "Error" not in f"{end.error_type}{end.message}":
        return None
    for finding in objects(end.facts.get("findings")):
        if finding.get("what") == "no_state" and finding.get("operation") == operation - 1:
            return no_state(finding, f"operation {operation} then failed with: {end.said}")
    return None


def no_state(finding: JsonObject, after: str) -> Found:
    """An operation that returned nothing."""
    name, line = finding.get("name"), finding.get("line")
    return Found(
        "HF1103",
        {
            "operation": str(finding.get("operation")),
            "name": f" ({name})" if name else "",
            "where": f" on line {line}" if line else "",
            "after": after,
        },
    )


def property_of_nothing(end: Ending) -> Found | None:
    """A property of undefined or null: which path was missing, and what stands beside it."""
    message, path = end.message, None
    if found := _DESTRUCTURE.search(message):
        key, path, nothing, done = found[1], found[2], found[3], "read"
    elif reading := _READING.search(message):
        nothing, key = reading[1], reading[3] or ""
        done = "written" if reading[2] == "setting" else "read"
        path = ending_expression(before(end))
    else:
        return None
    if end.facts.get("phase") == "load" and path and path.startswith("state"):
        return Found("HF1120", {"line": str(end.line or "?"), "said": end.said})
    return missing(end, path, nothing, key, done)


def missing(end: Ending, path: str | None, nothing: str, key: str, done: str) -> Found:
    """A path of which a part is `nothing` (undefined or null): what stands beside it."""
    code = end.facts.get("code")
    state: Json = end.facts.get("state")
    steps = meant(path, code if isinstance(code, str) else "") if path else None
    part = key if key.isidentifier() else f"[{key}]" if key.isdigit() else f"['{key}']"
    plain = f".{part}" if key.isidentifier() else part
    values = {
        "path": path or _called(end) or "A value",
        "missing": nothing,
        "key": part,
        "done": done,
        "safe": f"{path}?.{part}" if path else f"`?.{part}` instead of `{plain}`",
    }
    if steps is None or not isinstance(state, dict):
        values["there"] = _answer_before(end) or (
            f"The state that was there: {shown(state)}." if isinstance(state, dict) else ""
        )
        return Found("HF1102", values, Turn.AUTHOR)
    if steps[:1] == ["configuration"]:
        return _missing_credential(end, steps, key)
    walk = walked(steps, state)
    if walk.missing is None:
        values["there"] = (
            f"{walk.path} is there, with {walk.kind} as its value." if walk.kind != nothing else ""
        )
        return Found("HF1102", values)
    if walk.before == "state.data" and walk.keys[:1] and walk.keys[0].startswith(('{"', "[{")):
        return Found("HF1131", values)
    near = nearest(walk.missing, walk.keys)
    if near:
        right = f"{walk.before}.{near[0]}"
        return Found("HF1101", {**values, "path": walk.path, "nearest": right})
    if walk.keys:
        values["there"] = f"{walk.before} has: {listed(walk.keys)}."
    else:
        values["there"] = f"{walk.before} is {walk.kind}."
    author = steps[0] != "data" and walk.before == "state"
    return Found("HF1102", values, Turn.AUTHOR if author else None)


def _answer_before(end: Ending) -> str | None:
    """A request that was answered with a failure just before, which the code did not look at."""
    last = end.facts.get("answer")
    status = last.get("status") if isinstance(last, dict) else None
    if not isinstance(last, dict) or not isinstance(status, int) or status < 400:
        return None
    request = f"{last.get('method')} {last.get('host')}{last.get('path')}"
    return (
        f"The last answer before was {status}, to {request}: look at response.ok before its body."
    )


def _called(end: Ending) -> str | None:
    """What a call gave, where the text before the place is one: `What find(…) gave`."""
    found = re.search(
        r"([A-Za-z_$][\w$]*)\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)$", before(end)[-300:]
    )
    return f"What {found[1]}(…) gave" if found else None


def _missing_credential(end: Ending, steps: list[str], key: str) -> Found:
    state = end.facts.get("state")
    given = state.get("configuration") if isinstance(state, dict) else None
    keys = list(given) if isinstance(given, dict) else []
    absent = steps[1] if len(steps) > 1 else key
    known = [name for adaptor in end.adaptors for name in texts(adaptor.get("keys"))]
    near = nearest(absent, keys)
    if near and near[0] in known:  # the credential has what the adaptor asks: the code is wrong
        values = {"path": f"state.configuration.{absent}", "missing": "undefined", "key": key}
        right = f"state.configuration.{near[0]}"
        return Found("HF1101", {**values, "done": "read", "nearest": right})
    return lacking(end, keys, [absent], by_code=absent not in known)


def lacking(end: Ending, given: list[str], absent: list[str], *, by_code: bool = False) -> Found:
    """A credential that is missing, or one without these keys. `by_code`: the step reads them."""
    adaptor = end.adaptor_names.partition(",")[0]
    said = end.said or "it failed"
    if not given:
        return Found("HF1201", {"adaptor": adaptor, "said": said, "required": listed(absent)})
    pairs = [(key, nearest(key, given)) for key in absent]
    wrong = [f"Rename {near[0]} to {key}" for key, near in pairs if near]
    advice = ". ".join(wrong) if wrong else f"Add {listed(absent)} to the credential"
    if by_code and wrong:
        advice += ", or correct the name in the code"
    reader = "the step's code" if by_code else f"the adaptor {adaptor}"
    values = {"given": listed(given), "absent": listed(absent), "reader": reader, "said": said}
    return Found("HF1202", {**values, "advice": f"{advice}."})


def credential(end: Ending) -> Found | None:
    """A failure inside of an adaptor whose credential lacks what its schema asks for."""
    state = end.facts.get("state")
    if end.error_type not in {"AdaptorError", "RuntimeError", "JobError", "Error", "TypeError"}:
        return None
    given = state.get("configuration") if isinstance(state, dict) else None
    keys = [key for key in given if key != "…"] if isinstance(given, dict) else []
    for adaptor in end.adaptors:
        if adaptor.get("name") == COLLECTIONS:  # its keys come from the platform
            continue
        required, known = texts(adaptor.get("required")), texts(adaptor.get("keys"))
        absent = [key for key in required if key not in keys]
        foreign = [key for key in keys if key not in known] if known else []
        absent += [
            key
            for item in foreign
            for key in nearest(item, known)
            if key not in keys and key not in absent
        ]
        if absent and _may_be_the_credential(end):
            return lacking(end, keys, absent)
    return None


def _may_be_the_credential(end: Ending) -> bool:
    words = f"{end.message} {' '.join(str(cause.get('message')) for cause in end.causes)}".lower()
    status = any(
        cause.get("statusCode") in (401, 403) or cause.get("status") in (401, 403)
        for cause in end.causes
    )
    telling = (
        "url",
        "configuration",
        "credential",
        "auth",
        "undefined",
        "token",
        "password",
        "host",
    )
    return status or any(word in words for word in telling)


def no_function(end: Ending) -> Found | None:
    """Something was called that is no function."""
    found = _NO_FUNCTION.search(end.message)
    if found is None or "TypeError" not in f"{end.message}{end.error_type}":
        return None
    path = found[1]
    owner, _, method = path.rpartition(".")
    kind, keys = _there(end, owner or path)
    if owner and kind is not None:
        advice = f"{owner} is {kind}, which has no {method}."
        if method in _LIST_METHODS and keys:
            advice += f" If the list is inside of it, write {owner}.{keys[0]}.{method}(…)" + (
                f"; it has {listed(dict.fromkeys(keys))}." if len(keys) > 1 else "."
            )
        elif method in _LIST_METHODS:
            advice += f" Check what the step gets; to allow for a missing list write ({owner} ?? []).{method}(…)."
        if method in ("then", "catch", "finally"):
            advice += " It is a method of promises: leave it out, or call what makes one."
        known = (*_LIST_METHODS, *_TEXT_METHODS)
        if kind in ("a number", "true or false") and method in _TEXT_METHODS:
            advice += f" Write String({owner}).{method}(…)."
        elif method not in known and (near := nearest(method, known)):
            advice = f"Write {near[0]} instead of {method}."
        return Found(
            "HF1110",
            {"path": path, "kind": f"undefined there ({owner} is {kind})", "advice": advice},
        )
    if owner in _JAVASCRIPT and (close := nearest(method, _JAVASCRIPT[owner])):
        advice = f"Write {owner}.{close[0]} instead of {path}."
        return Found("HF1110", {"path": path, "kind": "no function", "advice": advice})
    near = nearest(method or path, [*end.exports, *_LIST_METHODS, *_TEXT_METHODS])
    advice = f"Write {near[0]} instead of {method or path}." if near else (
        "See what it is on the line that is shown: a misspelled method, or a missing operator "
        "between two brackets."
    )  # fmt: skip
    return Found("HF1110", {"path": path, "kind": "no function", "advice": advice})


_LIST_METHODS = ("map", "forEach", "filter", "find", "reduce", "some", "every", "push", "concat",
                 "flatMap", "join", "slice", "sort", "includes", "indexOf", "length")  # fmt: skip
_TEXT_METHODS = ("split", "trim", "toLowerCase", "toUpperCase", "replace", "startsWith",
                 "endsWith", "toString", "toISOString", "padStart", "match", "substring")  # fmt: skip


_JAVASCRIPT = {
    "console": ("log", "info", "warn", "error", "debug"),
    "Object": ("keys", "values", "entries", "assign", "fromEntries", "freeze", "hasOwn"),
    "Array": ("isArray", "from", "of"),
    "JSON": ("parse", "stringify"),
    "Math": ("round", "floor", "ceil", "abs", "min", "max", "random", "sqrt", "pow", "trunc"),
    "Promise": ("all", "allSettled", "race", "resolve", "reject"),
    "Number": ("isInteger", "isFinite", "isNaN", "parseFloat", "parseInt"),
    "Date": ("now", "parse", "UTC"),
}


def _there(end: Ending, path: str) -> tuple[str | None, list[str]]:
    """What stands at a path of the state, and its keys; None where the code does not say."""
    code = end.facts.get("code")
    steps = meant(path, code if isinstance(code, str) else "")
    if steps is None:
        return None, []
    walk = walked(steps, end.facts.get("state"))
    return ("undefined", []) if walk.missing else (walk.kind, [*walk.lists, *walk.keys])


def no_list(end: Ending) -> Found | None:
    """Something was gone through that is no list."""
    found = _NOT_ITERABLE.search(end.message)
    if found is None:
        return None
    path = found[1].removeprefix("TypeError: ")
    if re.fullmatch(r"[\w$.]+", path) and (gone := _not_there(end, path)) is not None:
        return gone
    kind, keys = _there(end, path) if re.fullmatch(r"[\w$.]+", path) else (None, [])
    advice = f"Write ({path} ?? []) where it may be missing; Object.values({path}) for an object."
    if keys:
        advice = (
            f"It has {listed(dict.fromkeys(keys))}: write {path}.{keys[0]} if that is the list."
        )
    return Found("HF1111", {"path": path, "kind": kind or "none", "advice": advice})


def _not_there(end: Ending, path: str) -> Found | None:
    """A list of the state that is missing."""
    code, state = end.facts.get("code"), end.facts.get("state")
    steps = meant(path, code if isinstance(code, str) else "")
    if not steps or not isinstance(state, dict) or walked(steps, state).missing is None:
        return None
    found = missing(end, path, "undefined", "items", "read")
    return Found(found.code, {**found.values, "safe": f"({path} ?? [])"}, found.turn)


def not_json(end: Ending) -> Found | None:
    """A text was read as JSON that is none."""
    if not _NOT_JSON.search(end.message):
        return None
    said = shortened(re.sub(r"^(?:RuntimeCrash: )?SyntaxError: ", "", end.message))
    advice = "Check `response.ok` and the content type before reading JSON."
    if '"[object Object]"' in end.message or "[object" in end.message:
        advice = "The value is an object already: leave out JSON.parse."
    elif '"undefined"' in end.message:
        advice = "The value is not there: check its name and what the step gets."
    elif "<" in end.message:
        advice = (
            "It begins like HTML: the other system sent a page, often for a login or an error."
        )
    system = any(name in str(end.facts.get("code")) for name in (".json()", "fetch("))
    return Found("HF1112", {"said": said, "advice": advice}, Turn.SYSTEM if system else None)


def too_much(end: Ending) -> Found | None:
    """Recursion, ranges, and results that cannot be kept."""
    message = end.message
    if "Maximum call stack size exceeded" in message:
        if "cannot be written" in message or "cannot be read" in message:
            said = "it is nested too deeply"
            advice = (
                "Nest it less deeply: put things into a list instead of wrapping one into another."
            )
            return Found("HF1108", {"said": said, "advice": advice})
        return Found("HF1113", {"where": end.where})
    if "Converting circular structure to JSON" in message and "InvalidResult" not in message:
        closing = re.search(r"property '([^']*)' closes the circle|index (\d+) closes", message)
        name = f" by {closing[1] or closing[2]}" if closing else ""
        advice = "Write only the parts that are needed: `JSON.stringify({ id: state.data.id })`."
        return Found("HF1129", {"said": f"it contains itself{name}", "advice": advice})
    if "serialize a BigInt" in message:
        return Found(
            "HF1129", {"said": "a BigInt", "advice": "Write `String(value)` for it first."}
        )
    if "the last operation returned a function" in message:
        return Found("HF1107")
    if "InvalidResultError" in f"{end.error_type} {message}":
        advice = (
            "Return plain data: objects, lists, texts and numbers. Take out clients, streams and "
            "classes."
        )
        said = shortened(message.rpartition("JSON: ")[2])
        return Found("HF1108", {"said": said, "advice": advice})
    if "RangeError" in f"{end.error_type} {message}" or "Invalid time value" in message:
        advice = (
            "Check the value before it is used; a date may be empty or written in another way."
        )
        said = shortened(message.partition("RangeError: ")[2] or message)
        return Found("HF1114", {"said": said, "advice": advice})
    return None


def nobody_waited(end: Ending) -> Found | None:
    """Promises that nobody waits for, or that wait for ever; the end of the process."""
    if end.error_type == "DeadlockError":
        return Found("HF1118", {"where": end.where})
    if end.error_type == "ExitError":
        code = re.search(r"code: (\S+)", end.message)
        return Found("HF1119", {"exit": code[1] if code else "?"})
    if end.error_type == "ExecutionError" and end.reason == "crash":
        return Found("HF1117", {"said": end.said})
    return None


def thrown_nothing(end: Ending) -> Found | None:
    """`throw undefined`, which OpenFn tells as a property that cannot be read."""
    kind = end.facts.get("thrown")
    if kind in ("undefined", "null") and "(reading 'stack')" in end.message:
        return Found("HF1116", {"kind": str(kind), "said": "nothing"})
    return None


def thrown(end: Ending) -> Found | None:
    """What the job's own code threw, or an operation refused."""
    kind = end.facts.get("thrown")
    if end.error_type == "AdaptorError":
        adaptor = end.adaptor_names.partition(",")[0]
        name = str(end.facts.get("name") or "")
        values = {"name": name, "adaptor": adaptor, "said": end.said}
        return Found("HF1125", values) if name else Found("HF1115", {"said": end.said})
    if end.error_type != "JobError":
        return None
    if kind in ("string", "number", "boolean", "object", "undefined", "null", "list"):
        words = {"string": "a text", "list": "a list", "object": "an object"}.get(
            str(kind), str(kind)
        )
        if kind == "object" and end.message:
            return Found("HF1115", {"said": end.said})
        keys = texts(end.facts.get("keys"))
        said = end.said or (f"it has {listed(keys)}" if keys else "nothing")
        return Found("HF1116", {"kind": words, "said": said})
    return Found("HF1115", {"said": end.said})
