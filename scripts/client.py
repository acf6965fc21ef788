"""Write the modules of `holdfast.client` from the routes of the API.

    python scripts/client.py            writes them
    python scripts/client.py --check    says which ones are not what the routes say

`tests/component/platform/test_client.py` runs the check.
"""

from __future__ import annotations

import keyword
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from holdfast.platform.api.answers import ANSWERS
from holdfast.platform.api.openapi import description_of
from holdfast.platform.api.routes import api_routes
from holdfast.platform.collections.routes import collection_routes

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "src" / "holdfast" / "client"
_NOTE = "Written by scripts/client.py from the routes of the API: change those, not this."
_BEGIN = "    def __init__(self, asking: Asking) -> None:\n        self._asking = asking"
#: The document describes itself; nobody calls it.
_LEFT_OUT = {"GET /api/openapi.json"}
#: Names that the rule would not find.
_NAMES = {
    "GET /api/projects/{project_id}/bulk_actions/{id}": "bulk_action",
    "POST /api/projects/{project_id}/bulk_actions/{id}/stop": "stop_bulk_action",
    "GET /api/me": "get",
    "GET /api/queue": "get",
    "GET /api/problems": "list",
    "POST /api/provision": "deploy",
    "POST /api/workflows/{id}/runs": "run",
    "POST /api/users/{id}/links": "create_link",
    "GET /collections/{path}": "items",
    "POST /collections/{path}": "put_items",
    "PUT /collections/{path}": "put_item",
    "DELETE /collections/{path}": "delete_items",
    "DELETE /api/sessions": "delete_all",
    "POST /api/projects/{project_id}/alerts/{id}/test": "test_alert",
    "GET /api/runs/{id}/logs/search": "search_logs",
    "POST /api/credentials/{id}/tests": "test",
    "GET /api/credentials/{id}/tests/{run_id}": "get_test",
    "POST /api/projects/{project_id}/retention/apply": "apply_retention",
}
#: Groups that make more than one module: the parts, and what they have by the third part of the
#: path. The group's class takes them from there.
_PARTS: dict[str, dict[str, set[str]]] = {
    "projects": {
        "project_history": {"runs", "work_orders", "search", "bulk_actions"},
        "project_settings": {
            "alerts", "audit", "credentials", "keychains", "members", "retention", "tokens",
            "webhook_keys",
        },
    }
}  # fmt: skip
_VERBS = {"PUT": "set", "PATCH": "change", "DELETE": "delete"}


def method_name(method: str, path: str, paths: Mapping[str, Any]) -> str:
    """What the client calls an operation."""
    if (named := _NAMES.get(f"{method} {path}")) is not None:
        return named
    parts = path.removeprefix("/api/").split("/")[1:]
    words = [part.replace(".", "_") for part in parts if not part.startswith("{")]
    of_one = bool(parts) and parts[-1].startswith("{")
    if method == "GET":
        return "_".join(words) or ("get" if of_one else "list")
    listed = "get" in paths[path]
    if method == "POST" and words and not listed:
        return "_".join(words)
    singular = (
        [*words[:-1], words[-1].removesuffix("s")] if words and (of_one or listed) else words
    )
    return "_".join([_VERBS.get(method, "create"), *singular])


def type_text(kind: Any) -> str:
    """A type as the client writes it."""
    if kind is Any or kind in {str, int, float, bool}:
        return "Any" if kind is Any else str(kind.__name__)
    parts = [type_text(part) for part in get_args(kind)]
    if get_origin(kind) in {dict, list}:
        return f"{get_origin(kind).__name__}[{', '.join(parts)}]"
    if not parts:
        return f"a.{kind.__name__}"
    if get_origin(kind).__module__ in {"types", "typing"}:
        return " | ".join(parts)
    return f"a.{get_origin(kind).__name__}[{', '.join(parts)}]"


def _argument(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) or name == "id" else name


def _method(name: str, method: str, path: str, told: Mapping[str, Any]) -> str:
    """One method of a group."""
    inside = [p["name"] for p in told["parameters"] if p["in"] == "path"]
    query = {p["name"]: p["schema"] for p in told["parameters"] if p["in"] == "query"}
    arguments = ["self", *(f"{_argument(name)}: str" for name in inside)]
    schema = told.get("requestBody", {}).get("content", {}).get("application/json", {})
    if schema:
        needed = bool(schema["schema"].get("required"))
        kind = "Mapping[str, Any]"
        arguments.append(f"body: {kind}" if needed else f"body: {kind} | None = None")
    if query:
        arguments.append("*")
    for one, said in query.items():
        kind = "int" if said.get("type") == "integer" else "str"
        arguments.append(f"{_argument(one)}: {kind} | None = None")
    key = f"{method} {path}"
    text = "text/" in str(told["responses"])
    answer = type_text(ANSWERS[key]) if key in ANSWERS else "str" if text else "None"
    place = path
    for one in inside:
        place = place.replace("{" + one + "}", "{part(" + _argument(one) + ")}")
    asked = [f'"{method}"', f'{"f" if inside else ""}"{place}"']
    if query:
        asked.append("{" + ", ".join(f'"{one}": {_argument(one)}' for one in query) + "}")
    if schema:
        asked.append("body=body" if needed else "body=body or {}")
    said = "\n\n".join(filter(None, (told["summary"], told.get("description", ""))))
    lines = [f"def {name}({', '.join(arguments)}) -> {answer}:", _docstring(said)]
    call = f"self._asking.ask({', '.join(asked)})"
    if answer == "None":
        lines.append(f"    {call}")
    else:
        lines += [f"    answer: {answer} = {call}", "    return answer"]
    return textwrap.indent("\n".join(lines), "    ")


def _docstring(said: str) -> str:
    wrapped = [textwrap.fill(" ".join(piece.split()), 85) for piece in said.split("\n\n")]
    text = "\n\n".join(wrapped)
    end = '"""' if "\n" not in text else '\n"""'
    return textwrap.indent(f'r"""{text}{end}' if "\\" in text else f'"""{text}{end}', "    ")


def modules() -> Iterator[tuple[str, str]]:
    """Name and unformatted text of each module."""
    paths: dict[str, Any] = description_of([*api_routes(), *collection_routes()])["paths"]  # type: ignore[assignment] # it is a dictionary
    groups: dict[str, list[str]] = {group: [] for parts in _PARTS.values() for group in parts}
    for path, methods in paths.items():
        for method, told in methods.items():
            if f"{method.upper()} {path}" not in _LEFT_OUT:
                name = method_name(method.upper(), path, paths)
                text = _method(name, method.upper(), path, told)
                groups.setdefault(_group(told["tags"][0], path), []).append(text)
    for group, texts in sorted(groups.items()):
        yield group, _module(group, texts)
    parts = {name for group in _PARTS.values() for name in group}
    yield "__init__", _client(sorted(set(groups) - parts))


def _group(tag: str, path: str) -> str:
    """The module that an operation of `tag` stands in."""
    about = {*path.removeprefix("/api/").split("/")[2:3]}
    parts = _PARTS.get(tag, {})
    return next((name for name, has in parts.items() if about & has), tag)


def class_name(group: str) -> str:
    return "".join(word.capitalize() for word in group.split("_"))


def _module(group: str, texts: list[str]) -> str:
    parts = [*_PARTS.get(group, ())]
    whole = "\n\n".join(texts if parts else [_BEGIN, *texts])
    bases = f"({', '.join(map(class_name, parts))})" if parts else ""
    imports = ["from __future__ import annotations", ""]
    if "Mapping[" in whole:
        imports.append("from collections.abc import Mapping")
    if "Any" in whole:
        imports.append("from typing import Any")
    names = [name for name, used in (("Asking", not parts), ("part", "part(" in whole)) if used]
    imports += ["", f"from holdfast.client.asking import {', '.join(names)}"]
    imports += [f"from holdfast.client.{part} import {class_name(part)}" for part in parts]
    if "a." in whole:
        imports.append("from holdfast.model import answers as a")
    return "\n".join([
        f'"""Calls of the API: {group.replace("_", " ")}.', "", _NOTE, '"""', "",
        *imports, "", "",
        f"class {class_name(group)}{bases}:",
        f'    """Calls of the API: {group.replace("_", " ")}."""', "",
        whole, "",
    ])  # fmt: skip


def _client(groups: list[str]) -> str:
    imports = [f"from holdfast.client.{name} import {class_name(name)}" for name in groups]
    members = [f"        self.{name} = {class_name(name)}(self)" for name in groups]
    return "\n".join([
        '"""The API of a platform, typed.', "", _NOTE, "",
        "    with Client(url, token) as client:",
        '        for run in client.runs.list(state="failed")["data"]:',
        '            print(run["id"], run["attributes"]["error_type"])', '"""', "",
        "from __future__ import annotations", "", *imports,
        "from holdfast.client.asking import ApiError, Asking", "",
        '__all__ = ["ApiError", "Client"]', "", "",
        "class Client(Asking):",
        '    """All calls of the API, by what they are about. Raises ApiError."""', "",
        "    def __init__(self, url: str, token: str, *, timeout: float = 30.0) -> None:",
        '        """`timeout` in seconds."""',
        "        super().__init__(url, token, timeout=timeout)", *members, "",
    ])  # fmt: skip


def written() -> dict[str, str]:
    """File name -> the text that it must have."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for module, text in modules():
            (folder / f"{module}.py").write_text(text)
        ruff = [sys.executable, "-m", "ruff"]
        told = ["--quiet", "--config", str(ROOT / "pyproject.toml")]
        ours = ["--config", 'lint.isort.known-first-party = ["holdfast"]']
        subprocess.run([*ruff, "check", "--select", "I", "--fix", *told, *ours, name], check=True)
        subprocess.run([*ruff, "format", *told, name], check=True)
        return {path.name: path.read_text() for path in sorted(folder.glob("*.py"))}


def main(arguments: list[str]) -> int:
    """Write, or with `--check` say what is out of date."""
    texts, wrong = written(), 0
    for name, text in texts.items():
        path = FOLDER / name
        if "--check" in arguments:
            if not path.exists() or path.read_text() != text:
                wrong = 1
                sys.stderr.write(f"{name} is not current: run python scripts/client.py\n")
        else:
            path.write_text(text)
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
