"""`holdfast worker`: runs steps for any platform that speaks Lightning's worker protocol."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from holdfast.engine.config import EngineConfig
from holdfast.engine.supervisor.supervisor import prepare_folders
from holdfast.journal import RunLock
from holdfast.model.errors import UsageError
from holdfast.protocol.tokens import public_key, sign_worker_token
from holdfast.worker.config import OPTIONS, SOCKET_VARIABLE, Option, WorkerConfig
from holdfast.worker.connection import check_secret
from holdfast.worker.log import LEVELS

AGENT = (sys.executable, "-m", "holdfast.worker.agent")


def worker_command_line(environment: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of a supervisor with an agent, as `exec` wants them.

    `environment` holds the options under their variables (see `holdfast.worker.config`).
    Raises UsageError if they are wrong.
    """
    config = WorkerConfig.from_environment(environment)
    path = config.data / "engine.sock"
    store = config.repo_dir or config.data / "adaptors"
    engine = EngineConfig(
        config.data,
        path,
        agent=AGENT,
        store=store,
        standby=config.standby,
        standby_memory_mb=config.run_memory_mb,
        standby_overhead_mb=config.overhead_mb,
        standby_network="open" if config.egress_policy == "open" else "broker",
        require=config.isolation,
    )
    argv = [sys.executable, "-m", "holdfast.engine.supervisor", "--config", engine.to_json()]
    return argv, {**environment, SOCKET_VARIABLE: str(path)}


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Every option of the worker as a flag; the environment variable is named in the help."""
    for option in reversed(OPTIONS):
        if option.flag is None:
            continue
        command = _flag(option)(command)
    return command


def _flag(option: Option) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    assert option.flag is not None
    help_text = f"{option.help} [{option.variable}]"
    if option.default is not None and "/--" not in option.flag and option.read is not _TRUTH:
        help_text += f" (default: {option.default})"
    names = option.flag.split(" ")
    if option.read is _TRUTH:
        return click.option(*names, option.field, is_flag=True, default=None, help=help_text)
    return click.option(*names, option.field, default=None, help=help_text, metavar="VALUE")


_TRUTH = next(option.read for option in OPTIONS if option.field == "batch_logs")


@click.command(
    "worker",
    epilog=(
        "Exit codes: 0 drained; 2 wrong usage or secret; 3 runs were ended at the drain's "
        "deadline; 4 something is undelivered (the next start delivers it)."
    ),
)
@_options
def worker_command(**given: object) -> None:
    """Claim and execute runs. Every flag can be given as environment variable.

    Ctrl-C or SIGTERM drains: nothing more is claimed, runs end and are delivered, within
    --drain-timeout. A second signal hurries.

    \b
    holdfast worker -l wss://app.openfn.org/worker -s "$WORKER_SECRET"
    holdfast worker --workloops "fast_lane:1 manual>*:4" --data /var/lib/holdfast
    WORKER_SECRET=… holdfast worker --capacity 10 --log debug
    """
    environment = with_flags(os.environ, given)
    config = WorkerConfig.from_environment(environment)
    if config.log_level not in LEVELS:
        raise click.BadParameter(", ".join(LEVELS), param_hint="--log")
    if config.public_key:
        public_key(config.public_key)
    argv, environment = worker_command_line(environment)
    prepare_folders(EngineConfig(config.data, config.data / "engine.sock"))
    check_data(config)
    check_port(config)
    token = sign_worker_token(config.secret, "holdfast-check", int(time.time()))
    asyncio.run(check_secret(config.lightning_url, token))
    os.execve(argv[0], argv, environment)  # noqa: S606 - the supervisor takes this process over


def check_data(config: WorkerConfig) -> None:
    """Raises JournalLocked if another worker has the folder, UsageError if nobody may write."""
    try:
        RunLock(config.data / "worker.lock").release()
    except OSError as error:
        message = f"The data folder {config.data} cannot be used: {error.strerror}"
        raise UsageError(message, fix="Make its disk writable, or choose another one.") from error


def check_port(config: WorkerConfig) -> None:
    """Raises UsageError if the health port is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.host, config.port))
        except OSError as error:
            message = f"The health port {config.host}:{config.port} cannot be opened: "
            raise UsageError(
                message + str(error.strerror), fix="Give another with --port (0: any free one)."
            ) from None


def with_flags(environment: Mapping[str, str], given: Mapping[str, object]) -> dict[str, str]:
    """The environment with the flags that were given; they win."""
    merged = dict(environment)
    for option in OPTIONS:
        value = given.get(option.field)
        if value is not None:
            merged[option.variable] = str(value).lower() if isinstance(value, bool) else str(value)
    if given.get("workloops_text") is not None and given.get("capacity") is None:
        merged.pop("WORKER_CAPACITY", None)
    if given.get("capacity") is not None and given.get("workloops_text") is None:
        merged.pop("WORKER_WORKLOOPS", None)
    return merged
