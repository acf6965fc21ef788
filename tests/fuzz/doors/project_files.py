"""Project files: whatever they hold, the answer is a project or one error for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from fuzz.harness import Target
from fuzz.values import NASTY
from holdfast.platform.project.read import read_project
from holdfast.platform.project.source import ProjectFileError

WORDS = (
    "name", "workflows", "jobs", "triggers", "edges", "body", "adaptor", "credential", "type",
    "webhook", "cron", "cron_expression", "source_trigger", "source_job", "target_job",
    "enabled",
    "condition_type", "condition_expression", "collections", "credentials", "owner",
    "schema_version", "steps", "next", "expression", "configuration", "id", "options", "cli",
    "path",
    "egress", "env",
    "js_expression", "always", "on_job_success", "project", "timeout", "true", "1", "null", "~",
)  # fmt: skip
VALUES = (
    "&a", "*a", "*b", "!!python/object/apply:os.system [ls]", "!!binary aGk=", "<<: *a", "|\n  x",
    "{path: ../../etc/passwd}", "{path: /dev/zero}", "'x'", '"\\x1b[2J"', "2026-11-28", "0o17",
    ".inf",
    ".nan", "1_000", "[a, [b, [c]]]", "? k", "- - -", "%TAG ! x", "---", "...", "@", "`",
)  # fmt: skip


def make(chance: Random) -> bytes:
    """Lines that look like one of the two forms, at any depth."""
    lines = ["name: demo", "workflows:"] if chance.random() < 0.7 else []
    depth = 1
    for _ in range(chance.choice((3, 15, 60))):
        depth = max(0, min(6, depth + chance.choice((-2, -1, 0, 0, 1, 1))))
        key = chance.choice(WORDS if chance.random() < 0.95 else NASTY)
        value = chance.choice(("", "", chance.choice(WORDS), chance.choice(VALUES + NASTY)))
        item = "- " if chance.random() < 0.1 else ""
        lines.append(f"{'  ' * depth}{item}{key}: {value}")
    return "\n".join(lines).encode("utf-8", "surrogatepass")


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    path = folder / "project.yaml"

    def target(data: bytes) -> int:
        path.write_bytes(data)
        try:
            read_project(path)
        except ProjectFileError:
            return 0
        return 1

    yield target
