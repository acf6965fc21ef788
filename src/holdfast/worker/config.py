"""What a worker was told: one object, built once from the environment, then read only.

Names and defaults are those of the reference (`docs/spec/worker-protocol.md` 7.1); a flag of
`holdfast worker` becomes the environment variable of the same option. Options that do nothing
in the reference are refused or named in a warning here, never silently swallowed (W39).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from holdfast.model.errors import UsageError
from holdfast.model.json import Json
from holdfast.model.limits import Limits
from holdfast.paths import DATA_VARIABLE, DEFAULT_DATA, absolute
from holdfast.sandbox.egress import EgressError, option_of
from holdfast.worker.workloops import DEFAULT_QUEUES, Workloop, parse_workloops


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its field in WorkerConfig, flag, environment variable, and default as text."""

    field: str
    flag: str | None
    variable: str
    default: str | None
    read: Callable[[str], Any]
    help: str


def _integer(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e9:
        raise ValueError
    return value


def _truth(text: str) -> bool:
    return text.strip().lower() in {"true", "1"}


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _backoff(text: str) -> tuple[float, float]:
    low, _, high = text.partition("/")
    first, last = _seconds(low), _seconds(high or low)
    if not 0 < first <= last:
        raise ValueError
    return first, last


OPTIONS = (
    Option("lightning_url", "--lightning -l", "WORKER_LIGHTNING_SERVICE_URL",
           "ws://localhost:4000/worker", str, "Address of the platform's worker socket."),
    Option("secret", "--secret -s", "WORKER_SECRET", None, str,
           "The secret shared with the platform."),
    Option("public_key", "--lightning-public-key", "WORKER_LIGHTNING_PUBLIC_KEY", None, str,
           "Base64 of the platform's public key: run tokens are then verified."),
    Option("data", "--data", DATA_VARIABLE, DEFAULT_DATA, absolute,
           "Folder of journals and keys; one per worker."),
    Option("repo_dir", "--repo-dir -d", "WORKER_REPO_DIR", None, absolute,
           "Where adaptors are installed. Default: adaptors in the data folder."),
    Option("monorepo_dir", "--monorepo-dir -m", "OPENFN_ADAPTORS_REPO", None, absolute,
           "Folder of the adaptors repository, for version `local`."),
    Option("capacity", "--capacity", "WORKER_CAPACITY", "5", _positive,
           "Runs at a time (instead of workloops)."),
    Option("workloops_text", "--workloops", "WORKER_WORKLOOPS", None, str,
           "Queues and slots, such as 'fast_lane:1 manual>*:4'."),
    Option("backoff", "--backoff", "WORKER_BACKOFF", "1/10", _backoff,
           "Shortest and longest pause between claims, seconds."),
    Option("loop", "--loop/--no-loop", "WORKER_LOOP", "true", _truth,
           "Claim by itself; without: only on POST /claim."),
    Option("port", "--port -p", "WORKER_PORT", "2222", _integer,
           "Port of /livez, /readyz and /metrics; 0 takes a free one."),
    Option("host", "--host", "WORKER_HOST", "0.0.0.0", str,  # noqa: S104 - probes come from outside
           "Address the health port listens on."),
    Option("log_level", "--log", "WORKER_LOG_LEVEL", "info", str,
           "debug, info, warn, error or none."),
    Option("run_memory_mb", "--run-memory", "WORKER_MAX_RUN_MEMORY_MB", "500", _positive,
           "JavaScript memory of a run, mebibytes."),
    Option("overhead_mb", None, "CGROUP_MEMORY_OVERHEAD_MB", "128", _integer,
           "What a run's processes may use on top of that, mebibytes."),
    Option("state_mb", "--state-memory", "WORKER_MAX_STATE_MEMORY_MB", None, _positive,
           "Largest state of a step, mebibytes. Default: as much as --run-memory."),
    Option("payload_mb", "--payload-memory", "WORKER_MAX_PAYLOAD_MB", "10", _positive,
           "Largest dataclip, mebibytes."),
    Option("log_payload_mb", "--log-payload-memory", "WORKER_MAX_LOG_PAYLOAD_MB", "1", _positive,
           "Largest log line, mebibytes."),
    Option("run_seconds", "--max-run-duration-seconds -t", "WORKER_MAX_RUN_DURATION_SECONDS",
           "300", _seconds, "Longest run, seconds, unless the platform says otherwise."),
    Option("state_props_to_remove", "--state-props-to-remove", "WORKER_STATE_PROPS_TO_REMOVE",
           "configuration,response", _names, "Keys removed from a step's state."),
    Option("socket_seconds", "--socket-timeout-seconds --socket-timeout",
           "WORKER_SOCKET_TIMEOUT_SECONDS", None, _seconds, "Deprecated: the two below."),
    Option("message_seconds", "--message-timeout-seconds --message-timeout",
           "WORKER_MESSAGE_TIMEOUT_SECONDS", "30", _seconds, "Wait for the answer to an event."),
    Option("claim_seconds", "--claim-timeout-seconds --claim-timeout",
           "WORKER_CLAIM_TIMEOUT_SECONDS", "3600", _seconds, "Wait for the answer to a claim."),
    Option("batch_logs", "--batch-logs", "WORKER_BATCH_LOGS", "false", _truth,
           "Send log lines in batches."),
    Option("batch_ms", "--batch-interval", "WORKER_BATCH_INTERVAL", "10", _integer,
           "Longest wait for a batch to fill, ms."),
    Option("batch_limit", "--batch-limit", "WORKER_BATCH_LIMIT", "50", _positive,
           "Most lines in a batch."),
    Option("collections_url", "--collections-url -c", "WORKER_COLLECTIONS_URL", None, str,
           "Address of the collections service."),
    Option("collections_version", "--collections-version", "WORKER_COLLECTIONS_VERSION",
           "latest", str, "Version of the collections adaptor."),
    Option("name", "--name", "WORKER_NAME", None, str, "Name of this worker in claims."),
    Option("egress", "--egress", "WORKER_EGRESS", None, str,
           "What runs may reach: open, lan (default: public and private networks), public, none,"
           " or a list (host:port, 10.0.0.0/8)."),
    Option("standby", "--standby", "WORKER_STANDBY", "2", _integer,
           "Run processes that wait ready-made, at most; 0 starts each when its run comes."),
    Option("isolation", "--require-isolation", "WORKER_REQUIRE_ISOLATION", None, str,
           "Refuse to start below this level: basic, strong or full (see holdfast doctor)."),
    Option("drain_seconds", "--drain-timeout", "WORKER_DRAIN_TIMEOUT_SECONDS", "600", _seconds,
           "After SIGTERM: time for runs to end before they are stopped, seconds."),
    Option("frame_bytes", "--max-frame-bytes", "WORKER_MAX_FRAME_BYTES", "10900000", _positive,
           "Largest message the platform takes (Lightning: 11000000)."),
    Option("keep_hours", "--keep-hours", "WORKER_KEEP_HOURS", "72", _seconds,
           "How long journals of delivered runs are kept."),
    Option("keep_mb", "--keep-megabytes", "WORKER_KEEP_MB", "1024", _integer,
           "How much disk journals of delivered runs may take."),
)  # fmt: skip

#: Options of the reference that have no effect there and none here.
WITHOUT_EFFECT = {
    "WORKER_VALIDATION_TIMEOUT_MS", "WORKER_VALIDATION_RETRIES", "WORKER_PROFILE",
    "WORKER_PROFILE_POLL_INTERVAL_MS", "WORKER_TIMEOUT_RETRY_COUNT",
    "WORKER_TIMEOUT_RETRY_DELAY_MS", "WORKER_SENTRY_DSN", "WORKER_SENTRY_ENV",
}  # fmt: skip

#: Jobs written for the reference reach services of their own network.
DEFAULT_EGRESS = "lan"
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
    monorepo_dir: Path | None
    capacity: int
    workloops_text: str | None
    backoff: tuple[float, float]
    loop: bool
    port: int
    host: str
    log_level: str
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
    egress: str | None
    standby: int
    isolation: str | None
    drain_seconds: float
    frame_bytes: int
    keep_hours: float
    keep_mb: int
    ignored: tuple[str, ...]  # variables that were set and have no effect

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> WorkerConfig:
        """The configuration. UsageError says which variable is wrong, and how."""
        values: dict[str, Any] = {}
        for option in OPTIONS:
            text = environment.get(option.variable) or option.default
            try:
                values[option.field] = None if text is None else option.read(text)
            except ValueError:
                message = f"{option.variable}={text!r} is not a value for: {option.help}"
                raise UsageError(message, fix=f"The default is {option.default}.") from None
        _check(values, environment)
        if values["socket_seconds"] is not None:
            for name, variable in (("message_seconds", "WORKER_MESSAGE_TIMEOUT_SECONDS"),
                                   ("claim_seconds", "WORKER_CLAIM_TIMEOUT_SECONDS")):  # fmt: skip
                if not environment.get(variable):
                    values[name] = values["socket_seconds"]
        values["name"] = values["name"] or environment.get("DEPLOYED_POD_NAME") or None
        values["ignored"] = tuple(sorted(WITHOUT_EFFECT & set(environment)))
        return cls(**values)

    @property
    def platform(self) -> str:
        """The platform's address without what may be secret in it: for logs and journals."""
        address = urlsplit(self.lightning_url)
        port = f":{address.port}" if address.port else ""
        return f"{address.scheme}://{address.hostname}{port}{address.path}"

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
