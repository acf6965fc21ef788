"""Checks the code and the edges of a project file, with the place of each finding in its file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from yaml.nodes import MappingNode, Node, ScalarNode

from holdfast.adaptors.store import Store
from holdfast.checking.codecheck import Checker, Code, Finding, check_conditions
from holdfast.diagnosis import edge_rules
from holdfast.diagnosis.ending import Diagnosis, Found, made, shortened
from holdfast.model.json import JsonObject
from holdfast.platform.project.model import Project
from holdfast.platform.project.read import read_placed
from holdfast.platform.project.rules import Places


@dataclass(frozen=True, slots=True)
class Placed:
    """A finding with its place: `file:line`, and what it is in."""

    file: str
    line: int
    inside: str
    diagnosis: Diagnosis
    warning: bool

    @property
    def row(self) -> str:
        """One line for a terminal."""
        kind = "warning: " if self.warning else ""
        told = self.diagnosis
        text = f"{told.code}  {told.what} Change: {told.change}"
        return f"{self.file}:{self.line}: {kind}{self.inside}: {text}"

    def to_json(self) -> JsonObject:
        """For `--json`."""
        kind = "warning" if self.warning else "error"
        told: JsonObject = {"file": self.file, "line": self.line, "inside": self.inside}
        return {**told, "kind": kind, **self.diagnosis.to_json()}


def check_project_code(path: Path, store: Store) -> tuple[Project, list[Placed], set[str]]:
    """The project, what is wrong with its code, and adaptors that are not installed here.

    Raises ProjectFileError for what is wrong with the file itself.
    """
    project, places = read_placed(path)
    checker = Checker(store)
    known: dict[Code, tuple[str, Node | None]] = {}
    for workflow in project.workflows:
        for job in workflow.jobs:
            inside = f"workflow {workflow.name}, job {job.name}"
            code = Code(inside, job.body, (job.adaptor,))
            known[code] = (inside, places.of(job, "body"))
    found = [_placed(path, *known[item.code], item) for item in checker.check(list(known))]
    return project, [*found, *_edges(path, project, places)], checker.absent


def _placed(path: Path, inside: str, node: Node | None, finding: Finding) -> Placed:
    file, line = str(path), node.start_mark.line + 1 if node else 1
    inner = finding.line or 1
    if isinstance(node, MappingNode):
        values = {str(key.value): value for key, value in node.value}
        file = str(path.parent / str(values["path"].value))
        line = inner
    elif isinstance(node, ScalarNode):
        line += inner if node.style in ("|", ">") else inner - 1
    return Placed(file, line, inside, finding.diagnosis, finding.warning)


def _edges(path: Path, project: Project, places: Places) -> list[Placed]:
    edges = [
        (workflow, edge, str(edge.condition_expression))
        for workflow in project.workflows
        for edge in workflow.edges
        if edge.condition_type == "js_expression"
    ]
    found = []
    for (workflow, edge, _), said in zip(
        edges, check_conditions([text for _, _, text in edges]), strict=True
    ):
        doubt = edge_rules.doubt(str(edge.condition_expression))
        if said is not None or doubt is not None:
            source = edge.source_job or edge.source_trigger or "?"
            if said is not None:
                values = {"source": source, "target": edge.target_job, "said": shortened(said)}
                cause = Found("HF1121", values)
            else:
                words = {"from": source, "to": edge.target_job, "kind": doubt}
                cause = edge_rules.asks_nothing({**words, "text": edge.condition_expression})
            node = places.of(edge, "condition_expression")
            line = node.start_mark.line + 1 if node else 1
            inside = f"workflow {workflow.name}, edge {edge.key}"
            found.append(Placed(str(path), line, inside, made(cause), said is None))
    return found
