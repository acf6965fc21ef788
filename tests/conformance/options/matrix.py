"""Every flag, alias and variable of the reference, with values of all kinds: what to ask it.

    python -m tests.conformance.options CHECKOUT    records its answers (see `__main__`)

The table holds the reference's own words, not ours, so that a spelling we forgot is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Case = dict[str, Any]

NUMBERS = (
    "7", "0", "5.0", "2.9", "0.5", "500mb", " 42 ", "1e3", "0x10", "-5", "+5", "abc", "", "007",
    "9999999",
)  # fmt: skip
SWITCHES = ("true", "false", "1", "0", "TRUE", "yes", "")
TEXTS = ("word", "two words", "a=b", "-", "", "1.0", "ws://host:4000/worker")
LISTS = ("a", "a,b", "a, b", "", "a b")
PAUSES = ("1/10", "0.5/2", "2/2", "3", "")


@dataclass(frozen=True)
class Asked:
    """One option of the reference: its key, our field, flags, variable, values to try."""

    key: str
    field: str
    flags: tuple[str, ...]
    variable: str | None
    values: tuple[str, ...]


def _asked(key: str, field: str, flags: str, variable: str | None, values: Any) -> Asked:
    return Asked(key, field, tuple(flags.split()), variable, values)


TABLE = (
    _asked("port", "port", "--port -p", "WORKER_PORT", NUMBERS),
    _asked("lightning", "lightning_url", "--lightning -l --lightning-service-url "
           "--lightningServiceUrl", "WORKER_LIGHTNING_SERVICE_URL", TEXTS),
    _asked("repoDir", "repo_dir", "--repo-dir -d --repoDir", "WORKER_REPO_DIR", TEXTS),
    _asked("monorepoDir", "monorepo_dirs", "--monorepo-dir -m --monorepoDir",
           "OPENFN_ADAPTORS_REPO", ("/a", "a/b", "")),
    _asked("secret", "secret", "--secret -s", "WORKER_SECRET", TEXTS),
    _asked("sentryDsn", "sentry_dsn", "--sentry-dsn --dsn --sentryDsn", "WORKER_SENTRY_DSN",
           TEXTS),
    _asked("sentryEnv", "sentry_env", "--sentry-env --sentryEnv", "WORKER_SENTRY_ENV", TEXTS),
    _asked("lightningPublicKey", "public_key", "--lightning-public-key --lightningPublicKey",
           "WORKER_LIGHTNING_PUBLIC_KEY", TEXTS),
    _asked("log", "log_level", "--log", "WORKER_LOG_LEVEL", ("debug", "info", "none", "")),
    _asked("backoff", "backoff", "--backoff", "WORKER_BACKOFF", PAUSES),
    _asked("loop", "loop", "--loop", None, SWITCHES),
    _asked("mock", "mock", "--mock", None, SWITCHES),
    _asked("debug", "debug", "--debug", None, SWITCHES),
    _asked("batchLogs", "batch_logs", "--batch-logs --batchLogs", "WORKER_BATCH_LOGS", SWITCHES),
    _asked("profile", "profile", "--profile", "WORKER_PROFILE", SWITCHES),
    _asked("batchInterval", "batch_ms", "--batch-interval --batchInterval",
           "WORKER_BATCH_INTERVAL", NUMBERS),
    _asked("batchLimit", "batch_limit", "--batch-limit --batchLimit", "WORKER_BATCH_LIMIT",
           NUMBERS),
    _asked("capacity", "capacity", "--capacity", "WORKER_CAPACITY", NUMBERS),
    _asked("workloops", "workloops_text", "--workloops", "WORKER_WORKLOOPS",
           ("manual>*:5", "fast_lane:1 manual>*:4", "")),
    _asked("statePropsToRemove", "state_props_to_remove",
           "--state-props-to-remove --statePropsToRemove", "WORKER_STATE_PROPS_TO_REMOVE", LISTS),
    _asked("runMemory", "run_memory_mb", "--run-memory --runMemory", "WORKER_MAX_RUN_MEMORY_MB",
           NUMBERS),
    _asked("payloadMemory", "payload_mb", "--payload-memory --payloadMemory",
           "WORKER_MAX_PAYLOAD_MB", NUMBERS),
    _asked("logPayloadMemory", "log_payload_mb", "--log-payload-memory --logPayloadMemory",
           "WORKER_MAX_LOG_PAYLOAD_MB", NUMBERS),
    _asked("maxRunDurationSeconds", "run_seconds",
           "--max-run-duration-seconds -t --maxRunDurationSeconds",
           "WORKER_MAX_RUN_DURATION_SECONDS", NUMBERS),
    _asked("socketTimeoutSeconds", "socket_seconds",
           "--socket-timeout-seconds --socket-timeout --socketTimeoutSeconds",
           "WORKER_SOCKET_TIMEOUT_SECONDS", NUMBERS),
    _asked("messageTimeoutSeconds", "message_seconds",
           "--message-timeout-seconds --message-timeout --messageTimeoutSeconds",
           "WORKER_MESSAGE_TIMEOUT_SECONDS", NUMBERS),
    _asked("claimTimeoutSeconds", "claim_seconds",
           "--claim-timeout-seconds --claim-timeout --claimTimeoutSeconds",
           "WORKER_CLAIM_TIMEOUT_SECONDS", NUMBERS),
    _asked("collectionsUrl", "collections_url", "--collections-url -c --collectionsUrl",
           "WORKER_COLLECTIONS_URL", TEXTS),
    _asked("collectionsVersion", "collections_version",
           "--collections-version --collectionsVersion", "WORKER_COLLECTIONS_VERSION", TEXTS),
    _asked("engineValidationTimeoutMs", "validation_ms",
           "--engine-validation-timeout-ms --engineValidationTimeoutMs",
           "WORKER_VALIDATION_TIMEOUT_MS", NUMBERS),
    _asked("engineValidationRetries", "validation_retries",
           "--engine-validation-retries --engineValidationRetries", "WORKER_VALIDATION_RETRIES",
           NUMBERS),
    _asked("profilePollIntervalMs", "profile_ms",
           "--profile-poll-interval-ms --profilePollIntervalMs",
           "WORKER_PROFILE_POLL_INTERVAL_MS", NUMBERS),
    _asked("timeoutRetryCount", "retry_count", "--timeout-retry-count --timeoutRetryCount",
           "WORKER_TIMEOUT_RETRY_COUNT", NUMBERS),
    _asked("timeoutRetryDelayMs", "retry_ms",
           "--timeout-retry-delay-ms --timeout-retry-delay --timeoutRetryDelayMs",
           "WORKER_TIMEOUT_RETRY_DELAY_MS", NUMBERS),
)  # fmt: skip


def cases() -> list[Case]:
    """Command lines and environments, without repetition."""
    found: dict[str, Case] = {}
    for option in TABLE:
        for argv, env in _of(option):
            found.setdefault(repr((argv, env)), {"key": option.key, "argv": argv, "env": env})
    for argv in _WORDS:
        found[repr(argv)] = {"key": "_", "argv": argv, "env": {}}
    return list(found.values())


_WORDS = (
    ["start"], ["server", "-p", "1"], ["-p", "1", "start"], ["--", "--port", "x"],
    ["--no-batch-logs", "word"], ["--workloops", "a:1", "--capacity", "2"],
)  # fmt: skip


def _of(option: Asked) -> Iterator[tuple[list[str], dict[str, str]]]:
    first, second = option.values[0], option.values[1]
    for flag in option.flags:
        first_name = flag == option.flags[0]
        short = not flag.startswith("--")
        for value in option.values if first_name else option.values[:3]:
            yield [flag, value], {}
            if short and value[:1].isdigit():
                yield [f"{flag}{value}"], {}
        for value in (*option.values[:2], ""):
            yield [f"{flag}={value}"], {}
        yield [flag], {}
        yield [flag, "--loop"], {}
        yield [flag, first, flag, second], {}
        if option.values is SWITCHES:
            yield [f"--no-{flag[2:]}"], {}
            yield [flag, "word"], {}
        if option.variable is not None:
            yield [flag, first], {option.variable: second}
            yield [flag, second], {option.variable: first}
            if option.values is SWITCHES:
                yield [f"--no-{flag[2:]}"], {option.variable: "true"}
    if option.variable is not None:
        for value in option.values:
            yield [], {option.variable: value}
    if option.values is LISTS:
        yield [option.flags[0], "a", "b", "--loop"], {}
        yield ["start", option.flags[0], "a", option.flags[0], "b"], {}
