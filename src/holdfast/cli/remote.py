"""How commands find a platform and talk to it: address, token, JSON there and back."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
import httpx

from holdfast.cli.kinds import Place
from holdfast.model.errors import HoldfastError
from holdfast.model.json import parse_document
from holdfast.paths import data_folder
from holdfast.platform.settings import ADDRESS_FILE, DEFAULT_PORT

#: Adaptor versions are looked up while a request waits.
_TIMEOUT_SECONDS = 120.0
_F = TypeVar("_F", bound=Callable[..., Any])


class DeployError(HoldfastError):
    """The platform cannot be reached, or refuses."""


@dataclass(frozen=True, slots=True)
class Where:
    """Which platform a command is for, as its options say."""

    url: str | None
    token: str | None
    data: Path | None


def platform_options(command: _F) -> Callable[..., Any]:
    """`--url`, `--token` and `--data`, as every command for a platform has them: its `where`."""

    @functools.wraps(command)
    def with_where(
        *arguments: Any, url: str | None, token: str | None, data: Path | None, **others: Any
    ) -> Any:
        return command(*arguments, where=Where(url, token, data), **others)

    found: Callable[..., Any] = with_where
    for option in (
        click.option("--data", type=Place(), help="Data folder of the platform here."),
        click.option(
            "--token",
            envvar=["HOLDFAST_TOKEN", "OPENFN_API_KEY"],
            help="Token for the platform.  [default: found in --data]",
        ),
        click.option(
            "--url",
            envvar=["HOLDFAST_URL", "OPENFN_ENDPOINT"],
            help="The platform.  [default: the one running here]",
        ),
    ):
        found = option(found)
    return found


@contextmanager
def connected(where: Where) -> Iterator[httpx.Client]:
    """A client for the platform that the options name. Raises DeployError."""
    folder = data_folder(os.environ, where.data)
    base = (where.url or address_of(folder)).rstrip("/")
    with client_for(base, where.token or token_of(folder)) as client:
        yield client


def base_of(client: httpx.Client) -> str:
    """The platform's address without a slash at its end."""
    return str(client.base_url).rstrip("/")


def client_for(base: str, token: str) -> httpx.Client:
    """For the calls of one command. Raises DeployError when `base` is no address."""
    headers = {"authorization": f"Bearer {token}"}
    try:
        secure = httpx.URL(base).scheme == "https"  # reading certificates takes 30 ms
        return httpx.Client(
            base_url=base, headers=headers, timeout=_TIMEOUT_SECONDS, verify=secure
        )
    except httpx.InvalidURL as error:
        message = f"not an address: {base} ({error})"
        raise DeployError(message, fix="Write it like http://127.0.0.1:4000.") from error


def call(
    client: httpx.Client,
    method: str,
    path: str,
    body: Any = None,
    *,
    missing: bool = False,
    **parameters: Any,
) -> Any:
    """The JSON answer; None for 404 when that is allowed. Raises DeployError.

    `parameters` go into the query; those that are None do not.
    """
    query = {name: value for name, value in parameters.items() if value is not None}
    with reaching(client):
        response = client.request(method, path, json=body, params=query)
    if response.status_code == 404 and missing:
        return None
    return answer_of(response)


@contextmanager
def reaching(client: httpx.Client) -> Iterator[None]:
    """Turns a failed connection into words. Raises DeployError."""
    try:
        yield
    except httpx.HTTPError as error:
        message = f"cannot reach the platform at {client.base_url}: {error}"
        raise DeployError(
            message, fix="Start it with `holdfast up`, or name another with --url."
        ) from error


def answer_of(response: httpx.Response) -> Any:
    """The JSON object of an answer. Raises DeployError with the platform's words."""
    if response.status_code == 401:
        message = "the platform does not accept the token"
        raise DeployError(
            message, fix="Give the content of its admin-token file with --token or HOLDFAST_TOKEN."
        )
    try:
        answer = parse_document(response.content) if response.content else {}
    except ValueError:
        answer = None
    if response.is_success and isinstance(answer, dict):
        return answer
    message = "\n".join(_texts(answer)) or f"the platform answered {response.status_code}"
    if message == "Not Found":  # as OpenFn's clients expect it
        raise _not_there(response.url.path)
    raise DeployError(message)


def _not_there(path: str) -> DeployError:
    """For who may not see it, it is not there either."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"]:
        del parts[0]
    name = parts[1] if len(parts) > 1 else path  # the kind of thing stands before its name
    message = f"the platform has no {name!r}, or does not show it to this token"
    return DeployError(message, fix="Look at the spelling, and at what the token may see.")


def _texts(answer: Any) -> list[str]:
    """The texts in an error reply, however nested; of problem details what is for people."""
    if isinstance(answer, str):
        return [answer]
    if isinstance(answer, dict):
        if "detail" in answer:
            return str(answer["detail"]).splitlines()
        if "errors" in answer:
            return _texts(answer["errors"])
        answer = list(answer.values())
    return (
        [text for item in answer if (texts := _texts(item)) for text in texts]
        if isinstance(answer, list)
        else []
    )


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
