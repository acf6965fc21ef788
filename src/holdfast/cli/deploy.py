"""`holdfast deploy`: send a project file to a running platform."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click
import httpx
import yaml

from holdfast.cli import terminal
from holdfast.cli.kinds import Place
from holdfast.model.errors import HoldfastError
from holdfast.model.json import parse_document
from holdfast.paths import data_folder
from holdfast.platform.project.deployment import to_payload
from holdfast.platform.project.loader import SafeLoader
from holdfast.platform.project.read import read_project
from holdfast.platform.settings import ADDRESS_FILE, DEFAULT_PORT

#: Adaptor versions are looked up while the request waits.
_TIMEOUT_SECONDS = 120.0


class DeployError(HoldfastError):
    """The platform cannot be reached, or refuses."""


@click.command(
    "deploy",
    epilog="""\b
Examples:
  holdfast deploy project.yaml
  holdfast deploy project.yaml --credentials secrets.yaml
  holdfast deploy project.yaml --url https://flows.example.org --token "$TOKEN" --json
""",
)
@click.argument("file", type=Place())
@click.option(
    "--url", envvar="HOLDFAST_URL", help="The platform.  [default: the one running here]"
)
@click.option("--token", envvar="HOLDFAST_TOKEN", help="Admin token.  [default: found in --data]")
@click.option("--data", type=Place(), help="Data folder of the platform here.")
@click.option(
    "--credentials",
    type=Place(),
    help="YAML file: for each credential key of the project, a map with its secret values.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
def deploy_command(
    file: Path,
    url: str | None,
    token: str | None,
    data: Path | None,
    credentials: Path | None,
    *,
    as_json: bool,
) -> None:
    """Make a project on the platform equal to FILE (project.yaml, form 1 or 2).

    Prints what changed and the addresses of webhooks. Collections and past runs are kept.
    """
    project = read_project(file)
    secrets = _secrets(credentials, {c.key for c in project.credentials})
    folder = data_folder(os.environ, data)
    base = (url or address_of(folder)).rstrip("/")
    key = token or token_of(folder)
    with client_for(base, key) as client:
        current = call(client, "GET", f"/api/provision/{project.name}", missing=True)
        payload = to_payload(project, (current or {}).get("data"))
        answer = call(client, "POST", "/api/provision", payload)
        for credential in project.credentials:
            if (body := secrets.get(credential.key)) is not None:
                named = {"name": credential.name, "owner": credential.owner, "body": body}
                call(client, "POST", f"/api/projects/{project.name}/credentials", named)
    done = answer["holdfast"]
    for webhook in done["webhooks"]:
        webhook["url"] = base + webhook["path"]
    if as_json:
        told = {"project": project.name, "id": answer["data"]["id"], "url": base, **done}
        terminal.echo(json.dumps(told, indent=2))
    else:
        _print(project.name, done)


def _print(name: str, done: dict[str, Any]) -> None:
    changes = done["changes"]
    terminal.echo(f"{name}: {len(changes)} changes" if changes else f"{name}: nothing to change")
    for line in changes:
        terminal.echo(f"  {line}", fg={"+": "green", "-": "red"}.get(line[0], "yellow"))
    for webhook in done["webhooks"]:
        state = "" if webhook["enabled"] else " (disabled)"
        terminal.echo(f"webhook  {webhook['workflow']}: {webhook['url']}{state}")


def client_for(base: str, token: str) -> httpx.Client:
    """For the calls of one command. Raises DeployError when `base` is no address."""
    headers = {"authorization": f"Bearer {token}"}
    try:
        return httpx.Client(base_url=base, headers=headers, timeout=_TIMEOUT_SECONDS)
    except httpx.InvalidURL as error:
        message = f"not an address: {base} ({error})"
        raise DeployError(message, fix="Write it like http://127.0.0.1:4000.") from error


def call(
    client: httpx.Client, method: str, path: str, body: Any = None, *, missing: bool = False
) -> Any:
    """The JSON answer; None for 404 when that is allowed. Raises DeployError."""
    try:
        response = client.request(method, path, json=body)
    except httpx.HTTPError as error:
        message = f"cannot reach the platform at {client.base_url}: {error}"
        raise DeployError(
            message, fix="Start it with `holdfast up`, or name another with --url."
        ) from error
    if response.status_code == 404 and missing:
        return None
    if response.status_code == 401:
        message = "the platform does not accept the token"
        raise DeployError(
            message, fix="Give the content of its admin-token file with --token or HOLDFAST_TOKEN."
        )
    try:
        answer = parse_document(response.content)
    except ValueError:
        answer = None
    if response.is_success and isinstance(answer, dict):
        return answer
    message = "\n".join(_texts(answer)) or f"the platform answered {response.status_code}"
    raise DeployError(message)


def _texts(errors: Any) -> list[str]:
    """The texts in an error reply, however nested."""
    if isinstance(errors, str):
        return [errors]
    if isinstance(errors, dict):
        errors = list(errors.values())
    return [text for item in errors or () for text in _texts(item)]


def address_of(folder: Path) -> str:
    """Where the platform of a data folder listens on this machine."""
    try:
        return str(json.loads((folder / ADDRESS_FILE).read_text())["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"http://127.0.0.1:{os.environ.get('PORT', DEFAULT_PORT)}"


def token_of(folder: Path) -> str:
    """The admin token of a data folder. Raises DeployError."""
    path = folder / "admin-token"
    try:
        return path.read_text().strip()
    except OSError as error:
        message = f"no admin token: cannot read {path} ({error.strerror})"
        raise DeployError(
            message, fix="Name the platform's data folder with --data, or give --token."
        ) from error


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
