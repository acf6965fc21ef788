"""The files of a fetched project on disk: what would be written, what would be lost by it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from holdfast import durable
from holdfast.model.json import Json, JsonObject, parse_document
from holdfast.platform.project.deployment import to_payload
from holdfast.platform.project.folder import is_folder
from holdfast.platform.project.merge import dicts, is_deleted, merged
from holdfast.platform.project.model import Project
from holdfast.platform.project.read import read_project
from holdfast.platform.project.versions import same_version, version_of
from holdfast.platform.project.write_v1 import spec_text
from holdfast.platform.project.write_v2 import folder_of, project_text
from holdfast.platform.project.writing import hyphenated, slug

#: Beside a file of form 1: what the platform had when it was fetched, as the `openfn` command
#: keeps it.
STATE_FILE = ".state.json"
FORMS = ("folder", "1", "2")


@dataclass(slots=True)
class Checkout:
    """Files by path, and those that the project no longer has."""

    files: dict[Path, str]
    gone: list[Path] = field(default_factory=list)

    def changed(self) -> list[Path]:
        """Files that are not on disk as they would be written."""
        return [path for path, text in self.files.items() if _read(path) != text.encode()]

    def write(self) -> None:
        """Write what differs and remove what is gone. Raises OSError."""
        for path in self.changed():
            path.parent.mkdir(parents=True, exist_ok=True)
            durable.write(path, self.files[path].encode(), mode=0o644)
        for path in self.gone:
            path.unlink(missing_ok=True)
            with suppress(OSError):  # it has other files
                path.parent.rmdir()


def checkout_of(document: JsonObject, endpoint: str, target: Path, form: str) -> Checkout:
    """The files of a project at `target`: a folder, or a file for forms 1 and 2."""
    if form == "1":
        state = json.dumps(state_of(document), indent=2, ensure_ascii=False) + "\n"
        return Checkout({target: spec_text(document), target.parent / STATE_FILE: state})
    if form == "2":
        return Checkout({target: project_text(document, endpoint)})
    files = {target / name: text for name, text in folder_of(document, endpoint).items()}
    old = _own_files(target) if is_folder(target) else set()
    return Checkout(files, sorted(old - files.keys()))


def _own_files(folder: Path) -> set[Path]:
    """Workflow files of a folder and the code files that they name."""
    found: set[Path] = set()
    for path in (folder / "workflows").glob("*/*.yaml"):
        if path.stem == path.parent.name:
            found |= {path, *path.parent.glob("*.js")}
    return found


def fetched_project(path: Path) -> Project:
    """The project of the files, with the versions that they were made from.

    Raises ProjectFileError.
    """
    project = read_project(path)
    if not project.forked_from and not is_folder(path):
        project.forked_from = _state_versions(path.parent / STATE_FILE)
    return project


def _state_versions(path: Path) -> dict[str, str]:
    raw = _read(path)
    try:
        state = parse_document(raw) if raw else None
    except ValueError:
        return {}
    workflows = state.get("workflows") if isinstance(state, dict) else None
    versions = {}
    for key, item in workflows.items() if isinstance(workflows, dict) else ():
        history = item.get("version_history") if isinstance(item, dict) else None
        if isinstance(history, list) and history:
            versions[key] = str(history[-1])
    return versions


def locally_changed(project: Project, current: JsonObject) -> list[str]:
    """Names of workflows whose files say something else than what was fetched."""
    whole = merged(to_payload(project, current), current)
    credentials = dicts(whole.get("project_credentials"))
    found = []
    for workflow in dicts(whole.get("workflows")):
        if is_deleted(workflow):
            continue
        name = str(workflow["name"])
        keys = (slug(name), hyphenated(name), name)
        base = next((v for k in keys if (v := project.forked_from.get(k))), "")
        kept = {part: _kept(workflow.get(part)) for part in ("jobs", "triggers", "edges")}
        if not same_version(base, version_of({**workflow, **kept}, credentials, "cli")):
            found.append(name)
    return found


def _kept(parts: Json) -> list[Json]:
    return [part for part in dicts(parts) if not is_deleted(part)]


def state_of(document: JsonObject) -> JsonObject:
    """The document with its lists as maps, keyed as the project file is."""
    workflows: JsonObject = {}
    for item in dicts(document.get("workflows")):
        names = {str(job["id"]): str(job["name"]) for job in dicts(item.get("jobs"))}
        names |= {str(t["id"]): str(t["type"]) for t in dicts(item.get("triggers"))}
        edges: JsonObject = {}
        for edge in dicts(item.get("edges")):
            source = names[str(edge.get("source_trigger_id") or edge.get("source_job_id"))]
            edges[hyphenated(f"{source}->{names[str(edge['target_job_id'])]}")] = edge
        workflows[hyphenated(str(item["name"]))] = {
            **item,
            "jobs": {hyphenated(str(job["name"])): job for job in dicts(item.get("jobs"))},
            "triggers": {str(t["type"]): t for t in dicts(item.get("triggers"))},
            "edges": edges,
        }
    credentials: JsonObject = {
        hyphenated(f"{c.get('owner') or ''} {c['name']}"): c
        for c in dicts(document.get("project_credentials"))
    }
    lists: JsonObject = {
        name: {hyphenated(str(item["name"])): item for item in dicts(document.get(name))}
        for name in ("collections", "channels")
    }
    return {**document, "project_credentials": credentials, **lists, "workflows": workflows}


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
