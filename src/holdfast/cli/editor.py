"""`holdfast editor`: what editors need to complete and check a project's files."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path

import click

from holdfast.adaptors.errors import AutoinstallError
from holdfast.adaptors.location import default_store_root
from holdfast.adaptors.manual import manual
from holdfast.adaptors.specifier import Specifier
from holdfast.adaptors.store import Store
from holdfast.adaptors.types import declarations
from holdfast.cli import terminal
from holdfast.cli.kinds import Place
from holdfast.cli.projectfiles import code_files
from holdfast.cli.stage import progress
from holdfast.model.errors import UsageError
from holdfast.model.json import Json, JsonObject
from holdfast.platform.project.schema import project_schema
from holdfast.worker.options import paths

#: Beside the project file; generated, so no part of what is kept in a repository.
FOLDER = ".holdfast"
SCHEMA = "project.schema.json"
CONFIG = "jsconfig.json"
#: The first line of a project file that says where its schema is.
SCHEMA_LINE = f"# yaml-language-server: $schema=./{FOLDER}/{SCHEMA}\n"
_SANDBOX = Path(__file__).with_name("sandbox.d.ts")
_OPTIONS: JsonObject = {
    "allowJs": True,
    "checkJs": True,
    "noEmit": True,
    "composite": True,
    "target": "es2023",
    "lib": ["es2023"],
    "module": "esnext",
    "moduleResolution": "bundler",
    "moduleDetection": "force",
    "types": [],
    "strict": False,
    "skipLibCheck": True,
}


@dataclass(frozen=True, slots=True)
class Group:
    """Files of code that use one adaptor, and the folder below `FOLDER` for them."""

    adaptor: str
    files: list[Path]

    @property
    def name(self) -> str:
        """`http-7.2.10`."""
        return self.adaptor.removeprefix("@openfn/language-").replace("@", "-").replace("/", "-")


@click.command("editor")
@click.argument("project", type=Place(exists=True, dir_okay=False), default="project.yaml")
def editor_command(project: Path) -> None:
    """Write what editors need to complete and check PROJECT and its code.

    A schema of the project file, type declarations of the adaptors that it uses, and a
    jsconfig.json for code that stands in files of its own (`body: {path: …}`). Run it again when
    adaptors have changed.

    \b
    holdfast editor
    holdfast editor project.yaml
    """
    for path in write_editor_files(project):
        terminal.echo(f"wrote {path}")
    if SCHEMA_LINE.strip() not in project.read_text(encoding="utf-8").splitlines()[:3]:
        terminal.echo(f"put this at the top of {project.name}: {SCHEMA_LINE.strip()}")


def write_editor_files(project: Path) -> list[Path]:
    """Write them all; which. Raises UsageError, ProjectFileError."""
    groups = [Group(name, files) for name, files in code_files(project).items()]
    home = project.parent
    found: dict[Path, str] = {home / FOLDER / SCHEMA: _json(project_schema())}
    for group, text in zip(groups, _declarations(groups), strict=True):
        folder = home / FOLDER / group.name
        found[folder / "adaptor.d.ts"] = text
        found[folder / "sandbox.d.ts"] = _SANDBOX.read_text(encoding="utf-8")
        files = [os.path.relpath(path, folder) for path in group.files]
        own: list[Json] = ["adaptor.d.ts", "sandbox.d.ts", *files]
        found[folder / CONFIG] = _json({"compilerOptions": _OPTIONS, "files": own})
    if groups:
        places = [f"./{FOLDER}/{group.name}/jsconfig.json" for group in groups]
        if is_ours(home / CONFIG):
            references: list[Json] = [{"path": place} for place in places]
            found[home / CONFIG] = _json({"files": [], "references": references})
        else:
            terminal.echo(
                f"{CONFIG} is yours and stays; its `references` need: {', '.join(places)}"
            )
    for path, text in found.items():
        _write(path, text)
    return list(found)


def is_ours(path: Path) -> bool:
    """Whether a configuration is not there, or holds only what this command writes."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        ours = found.keys() <= {"files", "references"} and not found.get("files")
        places = [str(entry["path"]) for entry in found.get("references", [])]
        return ours and all(place.startswith(f"./{FOLDER}/") for place in places)
    except FileNotFoundError:
        return True
    except (OSError, ValueError, AttributeError, TypeError, KeyError):
        return False


def _declarations(groups: list[Group]) -> list[str]:
    """Of each group's adaptor, which is installed where it is not."""
    store = Store(
        default_store_root(os.environ), monorepos=paths(os.environ.get("OPENFN_ADAPTORS_REPO", ""))
    )
    wanted = [str(Specifier.parse(group.adaptor)) for group in groups]
    try:
        installed = asyncio.run(store.ensure(wanted, on_event=progress))
    except AutoinstallError as error:
        raise UsageError(error.message, fix=error.fix) from None
    books = [manual(installed[name].path, tuple(installed[name].exports)) for name in wanted]
    return [declarations(book) for book in books]


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise UsageError(message) from None


def _json(value: JsonObject) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
