"""Which files of code a project has, and which adaptor each is for."""

from __future__ import annotations

import re
from pathlib import Path

from yaml.nodes import MappingNode, Node, ScalarNode

from holdfast.platform.project.read import read_placed

_FILE = re.compile(r"\S[^\n]*\.js")


def code_files(project: Path) -> dict[str, list[Path]]:
    """The files by adaptor, in the order of the jobs. Raises ProjectFileError."""
    read, places = read_placed(project)
    found: dict[str, list[Path]] = {}
    for workflow in read.workflows:
        for job in workflow.jobs:
            file = _file(places.of(job, "body"))
            if file is not None and file not in (files := found.setdefault(job.adaptor, [])):
                files.append(file)
    return found


def _file(node: Node | None) -> Path | None:
    """Where a job's code stands, unless it stands in the project file itself."""
    if isinstance(node, MappingNode):
        node = next((value for key, value in node.value if key.value == "path"), None)
    if not isinstance(node, ScalarNode) or not _FILE.fullmatch(str(node.value)):
        return None
    path = Path(str(node.start_mark.name)).parent / str(node.value)
    return path if path.is_file() else None
