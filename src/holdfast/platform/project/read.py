"""Read a project of either form and judge it (`docs/spec/platform.md` 7.3)."""

from __future__ import annotations

from pathlib import Path

from holdfast.platform.project import folder, form_v1, form_v2
from holdfast.platform.project.model import Project
from holdfast.platform.project.rules import Places, check_project
from holdfast.platform.project.source import ProjectFileError, Source, TextAlone


def read_project(path: Path) -> Project:
    """The project in a file or a folder. Raises ProjectFileError with every problem's place."""
    return read_placed(path)[0]


def read_placed(path: Path) -> tuple[Project, Places]:
    """The project in a file or a folder, and where its parts stand. Raises ProjectFileError."""
    if folder.is_folder(path):
        project, places, source = folder.read(path)
        check_project(project, places, source)
        source.check()
        return project, places
    return placed_project(folder.text_of(path), path)


def parse_project(text: str, path: Path) -> Project:
    """The project in this text; `path` is for messages and files beside it."""
    return placed_project(text, path)[0]


def placed_project(text: str, path: Path) -> tuple[Project, Places]:
    """The project, and where its parts stand in the text. Raises ProjectFileError."""
    return _judged(Source(text, path))


def project_of_text(text: str) -> Project:
    """The project that somebody sent as a text. Raises ProjectFileError."""
    return _judged(TextAlone(text, Path("project.yaml")))[0]


def _judged(source: Source) -> tuple[Project, Places]:
    source.check()
    if source.root is None:
        message = f"{source.path}:1: the file is empty"
        raise ProjectFileError(message, fix="A project needs `name` and `workflows`.")
    members = source.mapping(source.root, "the project")
    second = "schema_version" in members or "cli" in members
    project, places = form_v2.read(source) if second else form_v1.read(source)
    check_project(project, places, source)
    source.check()
    project.forked_from = {w.key: w.version for w in project.workflows if w.version}
    return project, places
