"""Test files of a project: `tests/*.yaml`, cases of one workflow each (docs/author.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from holdfast.cli.planfile import read_document
from holdfast.model.errors import UsageError
from holdfast.model.json import Json, JsonObject

_MEMBERS = {"input", "start", "end", "path", "expect", "fails", "requests", "logs", "credentials"}
_TOP = {"workflow", "project", "cases"}
_REQUEST = {"method", "url", "status", "answer", "headers", "times"}


@dataclass(frozen=True, slots=True)
class Case:
    """One case: what goes in, what other systems answer, and what must come out."""

    name: str
    file: Path
    workflow: str
    input: JsonObject = field(default_factory=dict)
    start: str | None = None
    end: str | None = None
    #: Ids of the steps that must run, in order; None: any.
    path: list[str] | None = None
    #: Step id -> parts of its output that must be there.
    expect: JsonObject = field(default_factory=dict)
    #: Error type, code or words of the failure that is expected; None: the run must succeed.
    fails: str | None = None
    #: Requests that are answered: method, url, status, answer. Others fail the case.
    requests: list[JsonObject] = field(default_factory=list)
    #: Texts that must stand in the log.
    logs: list[str] = field(default_factory=list)
    #: Step id -> credential, made up for the case.
    credentials: JsonObject = field(default_factory=dict)


def read_cases(path: Path) -> list[Case]:
    """The cases of one file. Raises UsageError that names the place."""
    document = read_document(path)
    if not isinstance(document, dict) or not isinstance(document.get("cases"), dict):
        raise _wrong(path, "a map with `workflow` and `cases` is expected")
    _only(path, "the file", document, _TOP)
    cases = document["cases"]
    assert isinstance(cases, dict)
    return [_case(path, str(document.get("workflow") or ""), name, cases[name]) for name in cases]


def _case(path: Path, workflow: str, name: str, value: Json) -> Case:
    where = f"case {name!r}".replace("'", '"')
    if not isinstance(value, dict):
        raise _wrong(path, f"{where}: a map is expected")
    _only(path, where, value, _MEMBERS)
    for key, kind, word in (
        ("input", dict, "a map"),
        ("expect", dict, "a map"),
        ("credentials", dict, "a map"),
        ("path", list, "a list"),
        ("requests", list, "a list"),
        ("logs", list, "a list"),
    ):
        if value.get(key) is not None and not isinstance(value[key], kind):
            raise _wrong(path, f"{where}: {key} must be {word}")
    requests = [_request(path, where, item) for item in value.get("requests") or []]  # type: ignore[union-attr]  # a list
    given = {key: item for key, item in value.items() if item is not None}
    fails = given.get("fails")
    return Case(
        name,
        path,
        workflow,
        given.get("input", {}),  # type: ignore[arg-type]  # checked above, as the rest is
        _word(given.get("start")),
        _word(given.get("end")),
        [str(item) for item in given["path"]] if "path" in given else None,  # type: ignore[union-attr]
        given.get("expect", {}),  # type: ignore[arg-type]
        None if fails is None else str(fails),
        requests,
        [str(item) for item in given.get("logs", [])],  # type: ignore[union-attr]
        given.get("credentials", {}),  # type: ignore[arg-type]
    )


def _word(value: Json) -> str | None:
    return None if value is None else str(value)


def _request(path: Path, where: str, item: Json) -> JsonObject:
    if not isinstance(item, dict) or not isinstance(item.get("url"), str):
        raise _wrong(path, f"{where}: each of requests is a map with url")
    _only(path, f"{where}: a request", item, _REQUEST)
    return item


def _only(path: Path, where: str, value: JsonObject, known: set[str]) -> None:
    if unknown := sorted(set(map(str, value)) - known):
        raise _wrong(
            path,
            f"{where}: {', '.join(unknown)} is not known; there are {', '.join(sorted(known))}",
        )


def _wrong(path: Path, text: str) -> UsageError:
    return UsageError(f"{path}: {text}", fix="`holdfast init` writes an example.")
