"""The folder form: `openfn.yaml`, and a file for each workflow with its code beside it.

As the `openfn` command checks a project out (`docs/spec/since-may-2026.md`, "Project documents").
"""

from __future__ import annotations

from pathlib import Path

from yaml.nodes import Node

from holdfast.platform.project.form_v2 import read_workflow
from holdfast.platform.project.members import id_of
from holdfast.platform.project.model import CollectionRef, CredentialRef, Project
from holdfast.platform.project.rules import Places
from holdfast.platform.project.source import ProjectFileError, Source
from holdfast.platform.project.write_v2 import WORKSPACE_FILE
from holdfast.platform.project.writing import slug


def is_folder(path: Path) -> bool:
    """Whether a path means the folder form: the folder, or its `openfn.yaml`."""
    return path.name == WORKSPACE_FILE or (path / WORKSPACE_FILE).is_file()


def read(path: Path) -> tuple[Project, Places, Source]:
    """The project, where its parts stand, and the problems found. Raises ProjectFileError."""
    file = path if path.name == WORKSPACE_FILE else path / WORKSPACE_FILE
    places, source = Places(), Source(text_of(file), file)
    source.check()
    top = source.mapping(source.root, "the file")
    members = source.mapping(top.get("project"), "project")
    name = source.text(members.get("name"), "the project's name") or ""
    project = Project(name=slug(name) or source.needed(source.root, members.get("id"), "project"))
    project.id = id_of(source, members.get("uuid"), "project: uuid")
    places.put(project, top.get("project"))
    for node in source.items(members.get("collections"), "collections"):
        project.collections.append(CollectionRef(source.needed(node, node, "a collection's name")))
    _read_workflows(source, places, project, file.parent / _workflow_folder(source, top))
    heads = source.mapping(members.get("forked_from"), "forked_from")
    project.forked_from = {
        key: source.text(node, "forked_from") or "" for key, node in heads.items()
    }
    for workflow in project.workflows:
        workflow.version = project.forked_from.get(workflow.key, "")
    project.credentials = _credentials(project)
    return project, places, source


def _workflow_folder(source: Source, top: dict[str, Node]) -> str:
    workspace = source.plain(top.get("workspace"))
    dirs = workspace.get("dirs") if isinstance(workspace, dict) else None
    found = dirs.get("workflows") if isinstance(dirs, dict) else None
    return found if isinstance(found, str) else "workflows"


def _read_workflows(source: Source, places: Places, project: Project, folder: Path) -> None:
    """Every YAML file below the folder that has a list of steps."""
    for file in sorted(folder.rglob("*.yaml")):
        if "node_modules" in file.parts:
            continue
        root = source.another(text_of(file), file)
        if root is not None and "steps" in source.mapping(root, str(file)):
            project.workflows.append(read_workflow(source, places, root, in_folder=True))


def _credentials(project: Project) -> list[CredentialRef]:
    """In this form they stand with the steps only, as `owner|name`."""
    keys = dict.fromkeys(
        job.credential for w in project.workflows for job in w.jobs if job.credential
    )
    refs = []
    for key in keys:
        owner, bar, name = key.partition("|")
        refs.append(CredentialRef(key, name if bar else owner, owner if bar else ""))
    return refs


def text_of(path: Path) -> str:
    """A text file. Raises ProjectFileError."""
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        message = f"{path}: not a text file in UTF-8 (byte {error.start})"
        raise ProjectFileError(message) from error
    except OSError as error:
        message = f"{path}: {error.strerror or error}"
        raise ProjectFileError(message, fix="Give the path of a project file.") from error
