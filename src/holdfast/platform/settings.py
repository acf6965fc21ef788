"""What the platform was told: one object, built once, then read only.

Environment names follow Lightning where it has them (`docs/spec/platform.md` 10.3), so that an
installation can move.
"""

from __future__ import annotations

import ipaddress
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from holdfast.model.errors import UsageError
from holdfast.paths import absolute, data_folder
from holdfast.platform.secrets.oauth import endpoint_problem
from holdfast.sandbox.egress import EgressError, option_of

DEFAULT_PORT = 4000
#: In the data folder: where the platform listens.
ADDRESS_FILE = "address.json"
MEGABYTE = 1024 * 1024
_SQLITE_FILE = re.compile(r"(sqlite(?:\+\w+)?:///)(?!:memory:|file:)([^/?][^?]*)(.*)")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the platform needs to know. Times are seconds, sizes mebibytes."""

    data: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    #: SQLAlchemy address; None: `platform.db` in the data folder.
    database_url: str | None = field(default=None, repr=False)
    #: How people reach the web page; None: made from host and port.
    public_url: str | None = None
    run_timeout_seconds: float = 300.0
    run_memory_mb: int | None = None
    grace_seconds: float = 10.0
    payload_mb: float = 10.0
    webhook_timeout_seconds: float = 30.0
    #: A claimed run whose channel is not joined by then goes back to the queue.
    join_deadline_seconds: float = 60.0
    #: A run whose worker is gone and silent for so long is lost.
    silence_seconds: float = 120.0
    janitor_seconds: float = 5.0
    #: Websocket pings: a dead peer is noticed within the sum of both.
    ping_seconds: float = 10.0
    pong_seconds: float = 15.0
    #: For the head of a request, and for each piece of its body or of its answer.
    patience_seconds: float = 20.0
    #: Proxies in front whose `X-Forwarded-For` is believed: addresses and networks.
    proxies: tuple[str, ...] = ()
    #: Requests of one webhook, and of one visitor, in the long run; ten times as many at once.
    webhooks_per_second: float = 200.0
    requests_per_second: float = 200.0
    #: How long a login lasts.
    session_hours: float = 168.0
    #: The door for runs that serves Collections only; None: the port of last time, or any.
    collections_port: int | None = None
    #: Its number, from 0, where several processes serve the same folder and the same ports.
    part: int | None = None
    #: How many they are.
    parts: int = 1
    #: What the collections of one project may hold together, MB; None: as much as the disk.
    collections_mb: float | None = None
    #: Single sign-on by OpenID Connect: the provider's address, and how it knows this platform.
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = field(default=None, repr=False)
    #: What the login page calls the provider.
    oidc_name: str = "single sign-on"
    #: Whom the provider lets in: `known` accounts only, or anybody, for whom one is made (`make`).
    oidc_accounts: str = "known"
    #: The mail server for alerts, with name and password: `smtp://` (STARTTLS) or `smtps://`.
    smtp_url: str | None = field(default=None, repr=False)
    mail_from: str = "holdfast@localhost"
    #: Where webhooks of alerts may go: a policy like those of runs (`sandbox/egress.py`).
    alerts_egress: str = "public"
    #: A folder with schemas of credentials, beside those of adaptors.
    schemas_path: Path | None = None
    #: What a worker that knows Holdfast may do beyond the common protocol.
    window: int = 64

    def __post_init__(self) -> None:
        """Raises UsageError when the public address is none."""
        object.__setattr__(self, "data", absolute(self.data))
        if self.database_url is not None:
            object.__setattr__(self, "database_url", _whole_address(self.database_url))
        if self.oidc_issuer is not None and not self.oidc_client_id:
            message = "HOLDFAST_OIDC_ISSUER is set without HOLDFAST_OIDC_CLIENT_ID"
            raise UsageError(message, fix="Set it to what the provider calls this platform.")
        if self.public_url is not None and not _is_web_address(self.public_url):
            message = f"{self.public_url!r} is not the address of a web page"
            raise UsageError(message, fix="Write it like https://flows.example.org.")

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.data / 'platform.db'}"

    @property
    def payload_bytes(self) -> int:
        return int(self.payload_mb * MEGABYTE)

    @property
    def collections_bytes(self) -> int | None:
        return None if self.collections_mb is None else int(self.collections_mb * 1_000_000)

    @property
    def frame_bytes(self) -> int:
        """Largest websocket message: output travels as JSON text in JSON, so quotes double."""
        return 3 * self.payload_bytes + MEGABYTE

    @property
    def loopback(self) -> bool:
        """Only this machine can reach us directly."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def secure(self) -> bool:
        """People reach us by https, so that cookies never travel in clear."""
        return urlsplit(self.public_url or "").scheme == "https"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, **given: Any) -> Self:
        """Settings from the environment; `given` that is not None wins. Raises UsageError."""
        values: dict[str, Any] = {}
        for name, (variable, read, _) in VARIABLES.items():
            if text := environment.get(variable):
                try:
                    values[name] = read(text)
                except ValueError as error:
                    message = f"{variable}={text!r} is not {_WANTED[read]}"
                    raise UsageError(message, fix=f"Give {variable} {_WANTED[read]}.") from error
        values |= {name: value for name, value in given.items() if value is not None}
        values.setdefault("data", data_folder(environment))
        return cls(**values)


def _whole_address(database: str) -> str:
    """The address of a database; the path of an SQLite file becomes absolute."""
    found = _SQLITE_FILE.fullmatch(database)
    return f"{found[1]}{absolute(found[2])}{found[3]}" if found else database


def _is_web_address(text: str) -> bool:
    """Scheme, host and nothing that would be lost: no user, path, query or fragment."""
    try:
        address = urlsplit(text)
        whole = address.scheme in {"http", "https"} and bool(address.hostname)
        rest = address.path.strip("/") or address.query or address.fragment
        return whole and address.port != 0 and not rest and address.username is None
    except ValueError:  # brackets without an address in them, a port beyond 65535
        return False


def _networks(text: str) -> tuple[str, ...]:
    items = tuple(item.strip() for item in text.split(",") if item.strip())
    for item in items:
        ipaddress.ip_network(item, strict=False)
    return items


def _folder(text: str) -> Path:
    path = absolute(text)
    if not path.is_dir():
        raise ValueError
    return path


def _port(text: str) -> int:
    if not 0 <= (number := int(text)) <= 65535:
        raise ValueError
    return number


def _above_zero(text: str) -> float:
    if not 0 < (number := float(text)) < math.inf:
        raise ValueError
    return number


def _not_negative(text: str) -> float:
    if not 0 <= (number := float(text)) < math.inf:
        raise ValueError
    return number


def _count(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number


def _provider(text: str) -> str:
    if endpoint_problem(text) is not None:
        raise ValueError
    return text


def _mail_server(text: str) -> str:
    address = urlsplit(text)
    if address.scheme not in {"smtp", "smtps"} or not address.hostname or address.port == 0:
        raise ValueError
    return text


def _accounts(text: str) -> str:
    if text not in {"known", "make"}:
        raise ValueError
    return text


def _egress(text: str) -> str:
    try:
        option_of(text)
    except EgressError as error:
        raise ValueError(text) from error
    return text


_WANTED: dict[Any, str] = {
    _provider: "an https address",
    _accounts: "known or make",
    _mail_server: "the address of a mail server, such as smtp://host:587",
    _egress: "open, lan, public, none or a list such as public,10.1.0.0/16",
    absolute: "a folder",
    _folder: "a folder that is there",
    _port: "a port from 0 to 65535",
    _above_zero: "a number above 0",
    _not_negative: "a number of 0 or more",
    _count: "a whole number above 0",
    _networks: "a list of addresses or networks with commas between, such as 10.0.0.0/8",
}
#: setting -> environment variable, how its text is read, and what it is.
VARIABLES: dict[str, tuple[str, Any, str]] = {
    "host": ("LISTEN_ADDRESS", str, "address to listen on"),
    "port": ("PORT", _port, "port to listen on"),
    "database_url": ("DATABASE_URL", str, "another database: `postgresql+psycopg://…`"),
    "public_url": (
        "HOLDFAST_PUBLIC_URL",
        str,
        "how people reach the page, where a proxy is in front",
    ),
    "proxies": (
        "HOLDFAST_PROXIES",
        _networks,
        "proxies in front, as addresses or networks: they say where a request comes from",
    ),
    "run_timeout_seconds": (
        "WORKER_MAX_RUN_DURATION_SECONDS",
        _above_zero,
        "longest run, seconds",
    ),
    "run_memory_mb": ("WORKER_MAX_RUN_MEMORY_MB", _count, "memory of a run, MB"),
    "grace_seconds": (
        "RUN_GRACE_PERIOD_SECONDS",
        _not_negative,
        "seconds beyond its limit before a run is called lost",
    ),
    "payload_mb": ("MAX_DATACLIP_SIZE_MB", _above_zero, "largest document, MB"),
    "webhook_timeout_seconds": (
        "HOLDFAST_WEBHOOK_TIMEOUT_SECONDS",
        _above_zero,
        "longest wait of a caller for the end of a run, seconds",
    ),
    "join_deadline_seconds": (
        "RUN_CHANNEL_JOIN_TIMEOUT_SECONDS",
        _above_zero,
        "a claimed run that is not joined for so long goes back to the queue, seconds",
    ),
    "webhooks_per_second": (
        "HOLDFAST_WEBHOOKS_PER_SECOND",
        _above_zero,
        "requests that one webhook takes each second; ten times as many at once",
    ),
    "requests_per_second": (
        "HOLDFAST_REQUESTS_PER_SECOND",
        _above_zero,
        "requests that a session, token or address may make each second; ten times that at once",
    ),
    "session_hours": ("HOLDFAST_SESSION_HOURS", _above_zero, "how long a login holds, hours"),
    "patience_seconds": (
        "HOLDFAST_PATIENCE_SECONDS",
        _above_zero,
        "longest wait for the head of a request, or for progress of a body or an answer, seconds",
    ),
    "collections_port": (
        "HOLDFAST_COLLECTIONS_PORT",
        _port,
        "port of Collections for runs on this machine",
    ),
    "collections_mb": (
        "HOLDFAST_COLLECTIONS_MB",
        _above_zero,
        "what the collections of one project may hold together, MB",
    ),
    "oidc_issuer": (
        "HOLDFAST_OIDC_ISSUER",
        _provider,
        "address of a provider of OpenID Connect, for single sign-on",
    ),
    "oidc_client_id": ("HOLDFAST_OIDC_CLIENT_ID", str, "what the provider calls this platform"),
    "oidc_client_secret": ("HOLDFAST_OIDC_CLIENT_SECRET", str, "its secret, if there is one"),
    "oidc_name": ("HOLDFAST_OIDC_NAME", str, "what the login page calls the provider"),
    "oidc_accounts": (
        "HOLDFAST_OIDC_ACCOUNTS",
        _accounts,
        "`known`: people who have an account; `make`: others get one, in no project yet",
    ),
    "smtp_url": (
        "HOLDFAST_SMTP_URL",
        _mail_server,
        "mail server for alerts: `smtp://name:password@host:587`, or `smtps://…:465`",
    ),
    "mail_from": ("HOLDFAST_MAIL_FROM", str, "sender of mails"),
    "alerts_egress": (
        "HOLDFAST_ALERTS_EGRESS",
        _egress,
        "where webhooks of alerts may go: `public`, or a list such as `public,10.1.0.0/16`",
    ),
    "schemas_path": (
        "SCHEMAS_PATH",
        _folder,
        "folder with a file `<name>.json` for each further schema of credentials",
    ),
    "silence_seconds": (
        "HOLDFAST_SILENCE_SECONDS",
        _above_zero,
        "a started run of a worker that is gone is called lost after so long, seconds",
    ),
}
