"""Every option of the worker: one table. Pure.

Names and defaults are those of the reference (`docs/spec/worker-protocol.md` 7.1 and
`docs/spec/since-may-2026.md`). A flag becomes the environment variable of the same option, so
the variables are all that the worker reads. Options that would do nothing here say why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.model.errors import UsageError
from holdfast.paths import DATA_VARIABLE, DEFAULT_DATA, absolute


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its field, flags, environment variable, default as text, and reader.

    `inert` says why it has no effect here, for those that are only accepted.
    """

    field: str
    flags: str
    variable: str
    default: str | None
    read: Callable[[str], Any]
    help: str
    inert: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Its flags, the one to show first."""
        return tuple(self.flags.split())

    @property
    def is_switch(self) -> bool:
        return self.read is truth

    @property
    def is_list(self) -> bool:
        return self.read is names

    @property
    def is_number(self) -> bool:
        return self.read in (natural, positive, seconds)


def leading_integer(text: str) -> int:
    """The number a text begins with, as the reference reads it: `500mb`, `5.0`. ValueError."""
    found = re.match(r"\s*([+-]?)(0[xX][0-9a-fA-F]+|[0-9]+)", text)
    if found is None:
        raise ValueError(text)
    return int(found[1] + found[2], 16 if found[2][:2] in ("0x", "0X") else 10)


def natural(text: str) -> int:
    """A whole number from 0 on. ValueError."""
    value = leading_integer(text)
    if value < 0:
        raise ValueError(text)
    return value


def positive(text: str) -> int:
    """A whole number from 1 on. ValueError."""
    value = leading_integer(text)
    if value < 1:
        raise ValueError(text)
    return value


def seconds(text: str) -> float:
    """A time in seconds; a fraction counts. ValueError."""
    found = re.match(r"\s*\+?([0-9]*\.[0-9]+)", text)
    value = float(found[1]) if found else float(leading_integer(text))
    if not 0 <= value < 1e9:
        raise ValueError(text)
    return value


def truth(text: str) -> bool:
    """`true` or `1`; everything else means no."""
    return text in {"true", "1"}


#: Where a run's engine may come from (`holdfast.engine.zygote.rule.Choice`).
LANES = ("auto", "zygote", "standby", "cold")


def lane(text: str) -> str:
    """One of LANES. ValueError."""
    if text not in LANES:
        raise ValueError(text)
    return text


def names(text: str) -> tuple[str, ...]:
    """Names between commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def pauses(text: str) -> tuple[float, float]:
    """`shortest/longest`, seconds; one number is both. ValueError."""
    low, _, high = text.partition("/")
    first, last = seconds(low), seconds(high or low)
    if not 0 < first <= last:
        raise ValueError(text)
    return first, last


def paths(text: str) -> tuple[Path, ...]:
    """Paths between colons."""
    return tuple(absolute(item) for item in text.split(":") if item)


def megabytes(text: str) -> int:
    """A size as a person writes it, in mebibytes: `6gb`, `512mb`, `2048`. ValueError."""
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(|k|m|g|t)i?b?\s*", text.lower())
    if found is None:
        raise ValueError(text)
    scale = {"k": 1 / 1024, "": 1, "m": 1, "g": 1024, "t": 1024 * 1024}[found[2]]
    value = int(float(found[1]) * scale)
    if value < 1:
        raise ValueError(text)
    return value


_RETRIED = "Every event is sent again until the platform has it, whatever this says."
_VALIDATED = "The engine is tried at the start, and every run has a process of its own."
_PROFILED = "The peak memory of every run is measured without it."
_ENFORCED = "The kernel enforces memory limits wherever it can: see holdfast doctor."

OPTIONS = (
    Option("lightning_url", "--lightning -l --lightning-service-url",
           "WORKER_LIGHTNING_SERVICE_URL", "ws://localhost:4000/worker", str,
           "Address of the platform's worker socket; `mock`: one that is started for you, on port"
           " 8888, with one run (`python -m holdfast.testing.mock`)."),
    Option("secret", "--secret -s", "WORKER_SECRET", None, str,
           "The secret shared with the platform."),
    Option("public_key", "--lightning-public-key", "WORKER_LIGHTNING_PUBLIC_KEY", None, str,
           "Base64 of the platform's public key: run tokens are then verified."),
    Option("data", "--data", DATA_VARIABLE, DEFAULT_DATA, absolute,
           "Folder of journals and keys; one per worker."),
    Option("repo_dir", "--repo-dir -d", "WORKER_REPO_DIR", None, absolute,
           "Where adaptors are installed. Default: adaptors in the data folder."),
    Option("monorepo_dirs", "--monorepo-dir -m", "OPENFN_ADAPTORS_REPO", "", paths,
           "Folders of adaptors repositories (a:b), for version `local`."),
    Option("capacity", "--capacity", "WORKER_CAPACITY", "5", positive,
           "Runs at a time (instead of workloops)."),
    Option("workloops_text", "--workloops", "WORKER_WORKLOOPS", None, str,
           "Queues and slots, such as 'fast_lane:1 manual>*:4'."),
    Option("memory_budget_mb", "--memory-budget", "WORKER_MEMORY_BUDGET", None, megabytes,
           "What runs may use together, such as 6gb; a run waits until its limit fits. Default: as"
           " much as the slots allow."),
    Option("backoff", "--backoff", "WORKER_BACKOFF", "1/10", pauses,
           "Shortest and longest pause between claims, seconds."),
    Option("loop", "--loop", "WORKER_LOOP", "true", truth,
           "Claim by itself; --no-loop: only on POST /claim."),
    Option("port", "--port -p", "WORKER_PORT", "2222", natural,
           "Port of /livez, /readyz and /metrics; 0 takes a free one."),
    Option("host", "--host", "WORKER_HOST", "0.0.0.0", str,  # noqa: S104 - probes come from outside
           "Address the health port listens on."),
    Option("log_level", "--log", "WORKER_LOG_LEVEL", "info", str,
           "debug, info, warn, error or none."),
    Option("log_format", "--log-format", "WORKER_LOG_FORMAT", "text", str,
           "text, or json: one object a line."),
    Option("run_memory_mb", "--run-memory", "WORKER_MAX_RUN_MEMORY_MB", "500", positive,
           "JavaScript memory of a run, mebibytes."),
    Option("overhead_mb", "", "CGROUP_MEMORY_OVERHEAD_MB", "128", natural,
           "What a run's processes may use on top of that, mebibytes."),
    Option("state_mb", "--state-memory", "WORKER_MAX_STATE_MEMORY_MB", None, positive,
           "Largest state of a step, mebibytes. Default: as much as --run-memory."),
    Option("payload_mb", "--payload-memory", "WORKER_MAX_PAYLOAD_MB", "10", natural,
           "Largest dataclip, mebibytes; 0: none is sent."),
    Option("log_payload_mb", "--log-payload-memory", "WORKER_MAX_LOG_PAYLOAD_MB", "1", natural,
           "Largest log line, mebibytes."),
    Option("run_seconds", "--max-run-duration-seconds -t", "WORKER_MAX_RUN_DURATION_SECONDS",
           "300", seconds, "Longest run, seconds, unless the platform says otherwise."),
    Option("state_props_to_remove", "--state-props-to-remove", "WORKER_STATE_PROPS_TO_REMOVE",
           "configuration,response", names, "Keys removed from a step's state."),
    Option("socket_seconds", "--socket-timeout-seconds --socket-timeout",
           "WORKER_SOCKET_TIMEOUT_SECONDS", None, seconds, "Deprecated: the two below."),
    Option("message_seconds", "--message-timeout-seconds --message-timeout",
           "WORKER_MESSAGE_TIMEOUT_SECONDS", "30", seconds, "Wait for the answer to an event."),
    Option("claim_seconds", "--claim-timeout-seconds --claim-timeout",
           "WORKER_CLAIM_TIMEOUT_SECONDS", "3600", seconds, "Wait for the answer to a claim."),
    Option("batch_logs", "--batch-logs", "WORKER_BATCH_LOGS", "false", truth,
           "Send log lines in batches."),
    Option("batch_ms", "--batch-interval", "WORKER_BATCH_INTERVAL", "10", natural,
           "Longest wait for a batch to fill, ms."),
    Option("batch_limit", "--batch-limit", "WORKER_BATCH_LIMIT", "50", positive,
           "Most lines in a batch."),
    Option("collections_url", "--collections-url -c", "WORKER_COLLECTIONS_URL", None, str,
           "Address of the collections service."),
    Option("collections_version", "--collections-version", "WORKER_COLLECTIONS_VERSION",
           "latest", str, "Version of the collections adaptor."),
    Option("name", "--name", "WORKER_NAME", None, str,
           "Name of this worker in claims. Default: DEPLOYED_POD_NAME."),
    Option("text_outputs", "--stringify-state", "WORKER_STRINGIFY_STATE", "true", truth,
           "Send outputs as text; --no-stringify-state (WORKER_NO_STRINGIFY_STATE=true): as JSON,"
           " for Lightning 2.19 and newer."),
    Option("debug", "--debug", "WORKER_DEBUG", "false", truth,
           "Log everything, and start without a secret."),
    Option("mock", "--mock", "WORKER_MOCK", "false", truth, "A mock of the engine.",
           "Runs are executed for real; there is no mock of the engine."),
    Option("sentry_dsn", "--sentry-dsn --dsn", "WORKER_SENTRY_DSN", None, str,
           "Where errors of the worker are reported; needs the extra `holdfast[sentry]`."),
    Option("sentry_env", "--sentry-env", "WORKER_SENTRY_ENV", "dev", str,
           "The environment that reports name."),
    Option("profile", "--profile", "WORKER_PROFILE", "false", truth, "Profile runs.", _PROFILED),
    Option("profile_ms", "--profile-poll-interval-ms", "WORKER_PROFILE_POLL_INTERVAL_MS", "10",
           natural, "Interval of profiling, ms.", _PROFILED),
    Option("validation_ms", "--engine-validation-timeout-ms", "WORKER_VALIDATION_TIMEOUT_MS",
           "5000", natural, "Time to validate the engine, ms.", _VALIDATED),
    Option("validation_retries", "--engine-validation-retries", "WORKER_VALIDATION_RETRIES", "3",
           natural, "Attempts to validate the engine.", _VALIDATED),
    Option("retry_count", "--timeout-retry-count", "WORKER_TIMEOUT_RETRY_COUNT", "10", natural,
           "Attempts to send an event.", _RETRIED),
    Option("retry_ms", "--timeout-retry-delay-ms --timeout-retry-delay",
           "WORKER_TIMEOUT_RETRY_DELAY_MS", "30000", natural, "Pause between them, ms.",
           _RETRIED),
    Option("cgroups", "--cgroups", "WORKER_ENABLE_CGROUP_ENFORCEMENT", "false", truth,
           "Let the kernel enforce memory limits.", _ENFORCED),
    Option("repo_lock", "--repo-lock", "WORKER_REPO_LOCK", "true", truth,
           "Lock the adaptor folder (--no-repo-lock: do not).",
           "The store locks one adaptor while it is installed, never the whole folder."),
    Option("ca_certs", "", "NODE_EXTRA_CA_CERTS", None, absolute,
           "File of further authorities, PEM, for the platform and for runs."),
    Option("use_proxy", "--use-proxy", "WORKER_USE_PROXY", "false", truth,
           "Reach the platform through HTTPS_PROXY or HTTP_PROXY."),
    Option("egress", "--egress", "WORKER_EGRESS", None, str,
           "What runs may reach: open, lan (default: public and private networks), public, none,"
           " or a list (host:port, 10.0.0.0/8)."),
    Option("process_per_step", "--process-per-step", "WORKER_PROCESS_PER_STEP", "false", truth,
           "Execute each step of a run in a process of its own, which gets the credential of that"
           " step only. Costs a start of Node.js for each step."),
    Option("standby", "--standby", "WORKER_STANDBY", "2", natural,
           "Run processes that wait ready-made, at most; 0 starts each when its run comes."),
    Option("lane", "--lane", "WORKER_LANE", "auto", lane,
           "Where runs go: auto, zygote (children of a process that has loaded their adaptors),"
           " standby (processes that wait), cold (new processes)."),
    Option("isolation", "--require-isolation", "WORKER_REQUIRE_ISOLATION", None, str,
           "Refuse to start below this level: basic, strong or full (see holdfast doctor)."),
    Option("drain_seconds", "--drain-timeout", "WORKER_DRAIN_TIMEOUT_SECONDS", None, seconds,
           "After SIGTERM: time for runs to end before they are stopped, seconds. Default: the"
           " longest run's limit, and 30."),
    Option("frame_bytes", "--max-frame-bytes", "WORKER_MAX_FRAME_BYTES", "10900000", positive,
           "Largest message the platform takes (Lightning: 11000000)."),
    Option("keep_hours", "--keep-hours", "WORKER_KEEP_HOURS", "72", seconds,
           "How long journals of delivered runs are kept."),
    Option("keep_mb", "--keep-megabytes", "WORKER_KEEP_MB", "1024", natural,
           "How much disk journals of delivered runs may take."),
)  # fmt: skip

#: Variables that say the opposite of an option's own variable.
OPPOSITES = {
    "WORKER_NO_STRINGIFY_STATE": "WORKER_STRINGIFY_STATE",
    "WORKER_NO_REPO_LOCK": "WORKER_REPO_LOCK",
}


def read_all(environment: Mapping[str, str]) -> dict[str, Any]:
    """The value of every option by its field. UsageError says which variable is wrong, and how.

    An empty variable counts as one that is not set.
    """
    given = {key: text for key, text in environment.items() if text}
    for opposite, variable in OPPOSITES.items():
        if opposite in given:
            given.setdefault(variable, str(not truth(given[opposite])).lower())
    values: dict[str, Any] = {}
    for option in OPTIONS:
        text = given.get(option.variable, option.default)
        try:
            values[option.field] = None if text is None else option.read(text)
        except ValueError:
            message = f"{option.variable}={text!r} is not a value for: {option.help}"
            raise UsageError(message, fix=f"The default is {option.default}.") from None
    return values


def without_effect(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Variable and reason of each option that is set and does nothing here."""
    opposite = {variable: name for name, variable in OPPOSITES.items()}
    return [
        (name, option.inert)
        for option in OPTIONS
        for name in (option.variable, opposite.get(option.variable, ""))
        if option.inert and environment.get(name)
    ]
