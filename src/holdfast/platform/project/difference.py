"""What differs between two provisioning documents, and what others changed meanwhile. Pure."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, takewhile

from holdfast.model.json import Json, JsonObject
from holdfast.platform.project.merge import by_id, dicts
from holdfast.platform.project.model import Project
from holdfast.platform.project.versions import same_version
from holdfast.platform.project.writing import hyphenated, slug

#: Members that say nothing of what a project does.
_UNTOLD = frozenset(
    {
        "id", "lock_version", "version_history", "inserted_at", "updated_at", "deleted_at",
        "project_id", "workflows", "jobs", "triggers", "edges", "project_credentials",
        "collections", "channels",
    }
)  # fmt: skip
_HUNK = re.compile(r"@@ -(\d+)(,\d+)? \+(\d+)(,\d+)? @@")
#: Lines of one text times lines of the other that are compared: a second at most.
_COMPARED = 4_000_000
_LISTS = (("credential", "project_credentials"), ("collection", "collections"))
_PARTS = (("job", "jobs"), ("trigger", "triggers"), ("edge", "edges"))


@dataclass(frozen=True, slots=True)
class Change:
    """One part that is new (`+`), gone (`-`) or different (`~`): members before and after."""

    sign: str
    kind: str
    name: str
    workflow: str = ""
    members: dict[str, tuple[Json, Json]] = field(default_factory=dict)

    def __str__(self) -> str:
        where = f" ({self.workflow})" if self.workflow else ""
        words = ", ".join(f"{name}{_words(*pair)}" for name, pair in self.members.items())
        return f"{self.sign} {self.kind} {self.name}{where}{': ' if words else ''}{words}"

    def as_json(self) -> JsonObject:
        members: JsonObject = {name: [*pair] for name, pair in self.members.items()}
        told: JsonObject = {"sign": self.sign, "kind": self.kind, "name": self.name}
        return {**told, "workflow": self.workflow or None, "members": members}


def difference(before: JsonObject | None, after: JsonObject | None) -> list[Change]:
    """What has to change so that `before` becomes `after`."""
    changes = list(_part("project", before, after, "", {}))
    before, after = before or {}, after or {}
    for kind, name in _LISTS:
        changes += _list(kind, before.get(name), after.get(name), "", {})
    old, new = by_id(before.get("workflows")), by_id(after.get("workflows"))
    for key in [*old, *(key for key in new if key not in old)]:
        one, other = old.get(key), new.get(key)
        changes += _part("workflow", one, other, "", {})
        if one is None or other is None:
            continue
        names = _ends(one) | _ends(other)
        for kind, name in _PARTS:
            changes += _list(kind, one.get(name), other.get(name), str(other["name"]), names)
    return changes


def without_secret(kind: str, name: str) -> str:
    """What a deployment says of a new credential or key: by these words a client finds it."""
    return f"+ {kind} {name} (its secret is not set yet)"


def _list(
    kind: str, before: Json, after: Json, workflow: str, ends: Mapping[str, str]
) -> Iterator[Change]:
    old, new = by_id(before), by_id(after)
    for key in [*old, *(key for key in new if key not in old)]:
        yield from _part(kind, old.get(key), new.get(key), workflow, ends)


def _part(
    kind: str,
    before: JsonObject | None,
    after: JsonObject | None,
    workflow: str,
    ends: Mapping[str, str],
) -> Iterator[Change]:
    shown = after or before
    if shown is None:
        return
    name = _name(kind, shown, ends)
    if before is None or after is None:
        yield Change("+" if before is None else "-", kind, name, workflow)
        return
    names = [*before, *(key for key in after if key not in before)]
    members = {
        key: (before.get(key), after.get(key))
        for key in names
        if key not in _UNTOLD and (before.get(key) or None) != (after.get(key) or None)
    }
    if members:
        yield Change("~", kind, name, workflow, members)


def _ends(workflow: JsonObject) -> dict[str, str]:
    """The names of what an edge can begin and end at, by id."""
    return {
        str(item["id"]): str(item.get("name") or item.get("type"))
        for item in (*dicts(workflow.get("jobs")), *dicts(workflow.get("triggers")))
    }


def _name(kind: str, part: JsonObject, ends: Mapping[str, str]) -> str:
    if kind != "edge":
        return str(part.get("name") or part.get("type"))
    source = str(part.get("source_trigger_id") or part.get("source_job_id"))
    target = str(part.get("target_job_id"))
    return f"{ends.get(source, source)}->{ends.get(target, target)}"


def _words(before: Json, after: Json) -> str:
    """Short texts as they are; of longer ones how many lines came and went."""
    texts = [json.dumps(value, ensure_ascii=False) for value in (before, after)]
    if all(len(text) <= 60 for text in texts):
        return f" {texts[0]} -> {texts[1]}"
    lines = list(lines_between(before, after))
    added = sum(line.startswith("+") for line in lines)
    return f" (+{added} -{sum(line.startswith('-') for line in lines)} lines)"


def lines_between(before: Json, after: Json) -> Iterator[str]:
    """The lines of two texts that differ, as `diff -u` shows them, without its head.

    Of large texts that differ in many places, all between the first and the last place is shown
    as changed: the time to compare them grows with the product of their lines.
    """
    old, new = (str(value or "").splitlines() for value in (before, after))
    start = _alike(zip(old, new, strict=False))
    rest = min(len(old), len(new)) - start
    end = _alike(islice(zip(reversed(old), reversed(new), strict=False), rest))
    skipped = max(0, start - 1)  # one equal line on each side shows where it is
    changed, made = (lines[skipped : len(lines) - max(0, end - 1)] for lines in (old, new))
    if len(changed) * len(made) <= _COMPARED:
        found = difflib.unified_diff(changed, made, lineterm="", n=1)
        yield from (_moved(line, skipped) for line in islice(found, 2, None))
    else:
        yield f"@@ -{skipped + 1},{len(changed)} +{skipped + 1},{len(made)} @@"
        yield from (f"-{line}" for line in changed)
        yield from (f"+{line}" for line in made)


def _alike(pairs: Iterable[tuple[str, str]]) -> int:
    """How many pairs at the beginning have two equal members."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _moved(line: str, skipped: int) -> str:
    """The head of a hunk with the numbers that its lines have in the whole texts."""
    found = _HUNK.fullmatch(line)
    if found is None:
        return line
    old, new = int(found[1]) + skipped, int(found[3]) + skipped
    return f"@@ -{old}{found[2] or ''} +{new}{found[4] or ''} @@"


def conflicts(project: Project, current: JsonObject | None) -> list[str]:
    """What others have changed on the platform since the project's files were fetched.

    Nothing is known when the files do not say what they were made from.
    """
    if not project.forked_from or current is None:
        return []
    bases, found = dict(project.forked_from), []
    mine = {workflow.name for workflow in project.workflows}
    for workflow in dicts(current.get("workflows")):
        name = str(workflow["name"])
        base = _take(bases, slug(name), hyphenated(name), name)
        history = workflow.get("version_history")
        head = str(history[-1]) if isinstance(history, list) and history else ""
        if base is None:
            what = "was made" if name in mine else "was made, and this deployment would remove it"
            found.append(f"workflow {name} {what} ({head})")
        elif not same_version(base, head):
            found.append(f"workflow {name} was changed: {base} is {head} now")
    kept = {key for w in project.workflows for key in (w.key, slug(w.name), hyphenated(w.name))}
    found += [f"workflow {key} was removed (it was {base})" for key, base in bases.items()
              if key in kept]  # fmt: skip
    return found


def _take(bases: dict[str, str], *keys: str) -> str | None:
    return next((bases.pop(key) for key in keys if key in bases), None)
