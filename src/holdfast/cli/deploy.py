"""`holdfast deploy`: send a project file to a running platform."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click
import httpx
import yaml

from holdfast.adaptors.location import default_store_root
from holdfast.adaptors.store import Store
from holdfast.cli import terminal
from holdfast.cli.check_project import doubt, show
from holdfast.cli.checkout import STATE_FILE, checkout_of, fetched_project
from holdfast.cli.kinds import Place
from holdfast.cli.projectcheck import check_project_code
from holdfast.cli.remote import (
    DeployError,
    Where,
    address_of,
    base_of,
    call,
    client_for,
    connected,
    platform_options,
    token_of,
)
from holdfast.model.json import JsonObject
from holdfast.platform.project.deployment import to_payload
from holdfast.platform.project.difference import conflicts, without_secret
from holdfast.platform.project.folder import is_folder
from holdfast.platform.project.loader import SafeLoader
from holdfast.platform.project.model import Project

__all__ = ["DeployError", "address_of", "call", "client_for", "deploy_command", "token_of"]


@click.command(
    "deploy",
    epilog="""\b
Examples:
  holdfast deploy project.yaml
  holdfast deploy project.yaml --credentials secrets.yaml
  holdfast deploy project.yaml --dry-run
  holdfast deploy project.yaml --url https://flows.example.org --token "$TOKEN" --json
""",
)
@click.argument("file", type=Place(), default=".")
@click.option(
    "--credentials",
    type=Place(),
    help="YAML file: for each credential key of the project, a map with its secret values.",
)
@click.option("--dry-run", is_flag=True, help="Check everything, change nothing.")
@click.option("--force", is_flag=True, help="Overwrite what others have changed meanwhile.")
@platform_options
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
def deploy_command(
    file: Path,
    credentials: Path | None,
    *,
    where: Where,
    dry_run: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Make a project on the platform equal to FILE.

    FILE is a project file (form 1 or 2) or a folder with openfn.yaml. Prints what changed and the
    addresses of webhooks. Collections and past runs are kept. When others have changed the project
    since the files were fetched, it says what, and changes nothing.
    """
    project = fetched_project(file)
    _refuse_mistakes(file)
    secrets = _secrets(credentials, {c.key for c in project.credentials})
    with connected(where) as client:
        found = call(client, "GET", f"/api/provision/{project.name}", missing=True)
        current: JsonObject | None = (found or {}).get("data")
        if (told := conflicts(project, current)) and not force:
            message = "others have changed the project since it was fetched:\n" + "\n".join(
                f"  {line}" for line in told
            )
            raise DeployError(message, fix="Pull it and merge, or overwrite it with --force.")
        payload = to_payload(project, current)
        dry = "true" if dry_run else None
        answer = call(client, "POST", "/api/provision", payload, dry_run=dry)
        if not dry_run:
            _say_set(answer["holdfast"]["changes"], _set_secrets(client, project, secrets))
            _remember(file, project, answer["data"], base_of(client))
        base = base_of(client)
    done = answer["holdfast"]
    for webhook in done["webhooks"]:
        webhook["url"] = base + webhook["path"]
    if as_json:
        told_json = {"project": project.name, "id": answer["data"]["id"], "url": base, **done}
        terminal.echo(json.dumps({**told_json, "dry_run": dry_run}, indent=2))
    else:
        _print(project.name, done)


def _refuse_mistakes(file: Path) -> None:
    """Raises DeployError for code and conditions that cannot run; shows warnings."""
    _, found, absent = check_project_code(file, Store(default_store_root(os.environ)))
    mistakes = [item.row for item in found if not item.warning]
    if mistakes:
        raise DeployError("\n".join(mistakes), fix="Nothing was deployed.")
    warnings = [item for item in found if item.warning]
    misspelled = {name for name in absent if doubt(name)}
    if warnings or misspelled:
        show(warnings, misspelled)


def _set_secrets(client: httpx.Client, project: Project, secrets: dict[str, Any]) -> list[str]:
    """The names of the credentials whose secrets were set."""
    done = []
    for credential in project.credentials:
        if (body := secrets.get(credential.key)) is not None:
            named = {"name": credential.name, "owner": credential.owner, "body": body}
            call(client, "POST", f"/api/projects/{project.name}/credentials", named)
            done.append(credential.name)
    return done


def _say_set(changes: list[str], names: list[str]) -> None:
    """The platform has told its changes before the secrets came."""
    for name in names:
        new = without_secret("credential", name)
        if new in changes:
            changes[changes.index(new)] = f"+ credential {name} (its secret is set)"
        else:
            changes.append(f"~ credential {name} (its secret is set)")


def _remember(file: Path, project: Project, document: JsonObject, endpoint: str) -> None:
    """Let the files say which versions they are, where they said so before. Raises DeployError."""
    if not project.forked_from:
        return
    try:
        if is_folder(file):
            root = file if file.is_dir() else file.parent
            found = checkout_of(document, endpoint, root, "folder")
            # The author's files stay as they are: only what the commands keep is written.
            found.files = {
                path: text
                for path, text in found.files.items()
                if path.parent in {root, root / ".projects"}
            }
            found.gone = []
            found.write()
        elif (file.parent / STATE_FILE).is_file():
            found = checkout_of(document, endpoint, file, "1")
            del found.files[file]
            found.write()
        else:
            _renew_versions(file, project, document)
    except OSError as error:
        message = f"deployed, but {error.filename} cannot be written: {error.strerror}"
        raise DeployError(message) from error


def _renew_versions(file: Path, project: Project, document: JsonObject) -> None:
    """In a file of form 2, put the new versions in the place of the old ones."""
    text = file.read_bytes().decode()
    heads = {w["name"]: w["version_history"][-1] for w in document["workflows"]}  # type: ignore[index,union-attr,call-overload]
    for workflow in project.workflows:
        if workflow.version and (head := heads.get(workflow.name)):
            text = text.replace(workflow.version, str(head))
    file.write_bytes(text.encode())


def _print(name: str, done: dict[str, Any]) -> None:
    changes = done["changes"]
    count = f"{len(changes)} change{'s' if len(changes) > 1 else ''}"
    terminal.echo(f"{name}: {count if changes else 'nothing to change'}")
    for line in changes:
        terminal.echo(f"  {line}", fg={"+": "green", "-": "red"}.get(line[0], "yellow"))
    for note in done.get("notes", ()):
        terminal.echo(f"note: {note}")
    for webhook in done["webhooks"]:
        state = "" if webhook["enabled"] else " (disabled)"
        terminal.echo(f"webhook  {webhook['workflow']}: {webhook['url']}{state}")


def _secrets(path: Path | None, known: set[str]) -> dict[str, Any]:
    """Secret values by credential key. Raises DeployError; never shows a value."""
    if path is None:
        return {}
    try:
        values = yaml.load(path.read_text("utf-8"), Loader=SafeLoader)  # noqa: S506 - it is one
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise DeployError(message) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        message = f"{path}:{mark.line + 1 if mark else 1}: broken YAML"
        raise DeployError(message) from error
    if not isinstance(values, dict) or not all(isinstance(v, dict) for v in values.values()):
        message = f"{path}: must be a map of credential keys to maps of values"
        raise DeployError(message)
    if unknown := sorted(set(map(str, values)) - known):
        message = f"{path}: the project has no credential {', '.join(unknown)}"
        raise DeployError(message, fix=f"It has: {', '.join(sorted(known)) or 'none'}.")
    return values
