"""What a worker was told: one object, built once from the environment, then read only.

Names and defaults are those of the reference (`docs/spec/worker-protocol.md` 7.1); a flag of
`holdfast worker` becomes the environment variable of the same option. Options that do nothing
in the reference are refused or named in a warning here, never silently swallowed (W39).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from holdfast.model.errors import UsageError
from holdfast.model.json import Json
from holdfast.model.limits import Limits
from holdfast.sandbox.egress import EgressError, option_of
from holdfast.worker.dial import Dial
from holdfast.worker.options import read_all, without_effect
from holdfast.worker.workloops import DEFAULT_QUEUES, Workloop, parse_workloops

#: Jobs written for the reference reach services of their own network.
DEFAULT_EGRESS = "lan"
#: A run duration of 0 means the default of the reference's engine.
_ENGINE_RUN_SECONDS = 600.0
#: A run that is at its limit has so long to be ended and delivered, seconds.
_SETTLING_SECONDS = 30.0
#: The address `mock`: where the reference expects a mock of the platform, and with which secret.
MOCK, MOCK_PORT, MOCK_SECRET = "mock", 8888, "abdefg"
MOCK_URL = f"ws://localhost:{MOCK_PORT}/worker"
#: Where the supervisor says that it listens.
SOCKET_VARIABLE = "HOLDFAST_SOCKET"


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """Everything a worker needs to know; see OPTIONS for the meaning of each field."""

    lightning_url: str
    secret: str
    public_key: str | None
    data: Path
    repo_dir: Path | None
    monorepo_dirs: tuple[Path, ...]
    capacity: int
    workloops_text: str | None
    memory_budget_mb: int | None
    backoff: tuple[float, float]
    loop: bool
    port: int
    host: str
    log_level: str
    log_format: str
    run_memory_mb: int
    overhead_mb: int
    state_mb: int | None
    payload_mb: int
    log_payload_mb: int
    run_seconds: float
    state_props_to_remove: tuple[str, ...]
    socket_seconds: float | None
    message_seconds: float
    claim_seconds: float
    batch_logs: bool
    batch_ms: int
    batch_limit: int
    collections_url: str | None
    collections_version: str
    name: str | None
    text_outputs: bool
    debug: bool
    sentry_dsn: str | None
    sentry_env: str
    ca_certs: Path | None
    use_proxy: bool
    egress: str | None
    process_per_step: bool
    standby: int
    lane: str
    isolation: str | None
    drain_seconds: float | None
    frame_bytes: int
    keep_hours: float
    keep_mb: int
    ignored: tuple[tuple[str, str], ...]  # variables that were set without effect, and why

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> WorkerConfig:
        """The configuration. UsageError says which variable is wrong, and how."""
        values = read_all(environment)
        if values["lightning_url"] == MOCK:
            values["lightning_url"] = MOCK_URL
            values["secret"] = values["secret"] or MOCK_SECRET
        elif values["debug"]:
            values["secret"] = values["secret"] or MOCK_SECRET
        _check(values, environment)
        if values["socket_seconds"] is not None:
            for name, variable in (("message_seconds", "WORKER_MESSAGE_TIMEOUT_SECONDS"),
                                   ("claim_seconds", "WORKER_CLAIM_TIMEOUT_SECONDS")):  # fmt: skip
                if not environment.get(variable):
                    values[name] = values["socket_seconds"]
        values["name"] = values["name"] or environment.get("DEPLOYED_POD_NAME") or None
        values["log_level"] = "debug" if values["debug"] else _level(values["log_level"])
        values["run_seconds"] = values["run_seconds"] or _ENGINE_RUN_SECONDS
        values["ignored"] = tuple(without_effect(environment))
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})

    @property
    def platform(self) -> str:
        """The platform's address without what may be secret in it: for logs and journals."""
        address = urlsplit(self.lightning_url)
        port = f":{address.port}" if address.port else ""
        return f"{address.scheme}://{address.hostname}{port}{address.path}"

    @property
    def dial(self) -> Dial:
        """How the platform is reached."""
        return Dial(self.ca_certs, self.use_proxy)

    @property
    def workloops(self) -> list[Workloop]:
        """The claim loops, each with all its slots free."""
        return parse_workloops(self.workloops_text or f"{DEFAULT_QUEUES}:{self.capacity}")

    @property
    def slots(self) -> int:
        """Runs at a time, over all loops."""
        return sum(loop.slots for loop in self.workloops)

    @property
    def limits(self) -> Limits:
        """Limits of a run for which the platform names none."""
        return Limits(
            memory_mb=self.run_memory_mb,
            overhead_mb=self.overhead_mb,
            state_limit_mb=self.state_mb,
            timeout_seconds=self.run_seconds,
            payload_mb=self.payload_mb,
            log_payload_mb=self.log_payload_mb,
        )

    @property
    def egress_policy(self) -> str:
        """The policy in force, as a person writes it."""
        return self.egress or DEFAULT_EGRESS

    def drain_within(self, run_seconds: Iterable[float]) -> float:
        """How long a drain may take, with runs of these time limits under way; seconds."""
        if self.drain_seconds is not None:
            return self.drain_seconds
        return max(self.run_seconds, *run_seconds, 0.0) + _SETTLING_SECONDS

    @property
    def journals(self) -> Path:
        """Folder of the runs that are not finished."""
        return self.data / "journals"

    @property
    def egress_option(self) -> Json:
        """The engine's option: the policy, and the collections service whatever the policy."""
        return self._with_collections(option_of(self.egress_policy))

    def egress_within(self, wanted: Json) -> Json:
        """The option for a workflow that has a policy of its own: never more than the worker's.

        Raises EgressError when that policy is not understood.
        """
        if wanted is None:
            return self.egress_option
        option = self._with_collections(option_of(str(wanted)))
        whole = option if isinstance(option, dict) else {"base": option, "allow": []}
        return {**whole, "within": self.egress_option}

    def _with_collections(self, option: Json) -> Json:
        if option == "open" or not self.collections_url:
            return option
        address = urlsplit(self.collections_url)
        port = address.port or (443 if address.scheme == "https" else 80)
        host = f"[{address.hostname}]" if ":" in str(address.hostname) else address.hostname
        own: list[Json] = [f"{host}:{port}"]
        if not isinstance(option, dict):
            return {"base": option, "allow": own}
        listed = option["allow"]
        return {**option, "allow": own + (listed if isinstance(listed, list) else [])}

    @property
    def archive(self) -> Path:
        """Folder of the runs that were delivered."""
        return self.data / "archive"


def _level(text: str) -> str:
    """Our name of a log level of the reference."""
    return {"default": "info", "success": "info", "none-really": "none"}.get(text, text)


def _is_socket_address(text: str) -> bool:
    try:
        address = urlsplit(text)
        whole = bool(address.hostname) and address.port != 0
        rest = address.query or address.fragment  # which would swallow what is appended
        return address.scheme in {"ws", "wss"} and whole and not rest
    except ValueError:  # brackets without an address in them, a port beyond 65535
        return False


def _check(values: dict[str, Any], environment: Mapping[str, str]) -> None:
    if not values["secret"]:
        message = "No worker secret was given."
        fix = "Set WORKER_SECRET to the value that the platform uses (or give --secret)."
        raise UsageError(message, fix=fix)
    if environment.get("WORKER_WORKLOOPS"):
        if environment.get("WORKER_CAPACITY"):
            message = "Capacity and workloops were both given."
            raise UsageError(message, fix="Give one of WORKER_CAPACITY and WORKER_WORKLOOPS.")
        parse_workloops(environment["WORKER_WORKLOOPS"])
    if not _is_socket_address(values["lightning_url"]):
        # A password may stand before the "@", a token behind the "?".
        shown = re.sub(r"//[^/@]*@", "//…@", re.sub(r"[?#].*", "?…", values["lightning_url"]))
        message = f"{shown!r} is not the address of a platform's worker socket."
        raise UsageError(message, fix="It looks like ws://localhost:4000/worker or wss://….")
    try:
        option_of(values["egress"] or DEFAULT_EGRESS)
    except EgressError as error:
        raise UsageError(error.message, fix=error.fix) from error
