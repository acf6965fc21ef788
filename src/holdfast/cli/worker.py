"""`holdfast worker`: runs steps for any platform that speaks Lightning's worker protocol."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial

import click

from holdfast.cli import terminal
from holdfast.cli.check import checks
from holdfast.cli.doctor import print_check
from holdfast.engine.config import EngineConfig
from holdfast.engine.supervisor.supervisor import prepare_folders
from holdfast.journal import RunLock
from holdfast.log import FORMATS, LEVELS
from holdfast.model.errors import UsageError
from holdfast.protocol.tokens import public_key, sign_worker_token
from holdfast.sandbox import kernel
from holdfast.worker.arguments import Arguments, parse
from holdfast.worker.config import MOCK_PORT, MOCK_URL, SOCKET_VARIABLE, WorkerConfig
from holdfast.worker.connection import check_secret
from holdfast.worker.options import OPTIONS, Option

#: Words that the reference's start scripts pass.
_TOLERATED = {"start", "server"}
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
        ca_certs=config.ca_certs,
        standby=config.standby if config.lane != "cold" else 0,
        lane=config.lane,
        log_level=config.log_level,
        log_format=config.log_format,
        standby_memory_mb=config.run_memory_mb,
        standby_overhead_mb=config.overhead_mb,
        standby_network="open" if config.egress_policy == "open" else "broker",
        require=config.isolation,
    )
    argv = [sys.executable, "-m", "holdfast.engine.supervisor", "--config", engine.to_json()]
    return argv, {**environment, SOCKET_VARIABLE: str(path)}


_CHECK = (
    "Look at configuration, memory, keys, clock, connection, isolation and disk, say what is"
    " found, and exit: 0 all is well, 2 something has to be mended."
)


class WorkerCommand(click.Command):
    """Reads its arguments as the reference does; click shows the help."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if {"--help", "-h"} & set(args):
            return super().parse_args(ctx, ["--help"])
        ctx.params["check"] = "--check" in args
        ctx.params["arguments"] = parse(word for word in args if word != "--check")
        return []


def _option(option: Option) -> click.Option:
    """An option as the help shows it, with its environment variable."""
    text = f"{option.help} [{option.variable}]"
    if option.default and not option.is_switch:
        text += f" (default: {option.default})"
    if option.inert:
        text = f"Accepted, without effect: {option.inert} [{option.variable}]"
    names = [*option.names, option.field]
    if option.is_switch:
        return click.Option(names, is_flag=True, help=text)
    return click.Option(names, help=text, metavar="VALUE")


@click.command(
    "worker",
    cls=WorkerCommand,
    params=[
        *(_option(option) for option in OPTIONS if option.flags),
        click.Option(["--check"], is_flag=True, help=_CHECK),
    ],
    epilog=(
        "Exit codes: 0 drained; 2 wrong usage or secret; 3 runs were ended at the drain's "
        "deadline; 4 something is undelivered (the next start delivers it)."
    ),
)
@click.pass_context
def worker_command(context: click.Context, arguments: Arguments, *, check: bool) -> None:
    """Claim and execute runs. Every flag can be given as environment variable.

    Ctrl-C or SIGTERM drains: nothing more is claimed, runs end and are delivered, within
    --drain-timeout. A second signal hurries.

    \b
    holdfast worker -l wss://app.openfn.org/worker -s "$WORKER_SECRET"
    holdfast worker --workloops "fast_lane:1 manual>*:4" --data /var/lib/holdfast
    WORKER_SECRET=… holdfast worker --capacity 10 --log debug
    """
    environment = arguments.over(os.environ)
    for word in arguments.words:
        if word not in _TOLERATED:
            terminal.echo(f"warning: {word!r} is no option and means nothing here", err=True)
    config = WorkerConfig.from_environment(environment)
    if config.log_level not in LEVELS:
        raise click.BadParameter(", ".join(LEVELS), param_hint="--log")
    if config.log_format not in FORMATS:
        raise click.BadParameter(", ".join(FORMATS), param_hint="--log-format")
    prepare_folders(EngineConfig(config.data, config.data / "engine.sock"))
    if check:
        found = asyncio.run(checks(config))
        for item in found:
            print_check(item)
        context.exit(0 if all(item.good for item in found) else 2)
    if config.public_key:
        public_key(config.public_key)
    argv, environment = worker_command_line(environment)
    check_data(config)
    check_port(config)
    if config.lightning_url == MOCK_URL:
        start_mock(MOCK_PORT)
    token = sign_worker_token(config.secret, "holdfast-check", int(time.time()))
    asyncio.run(check_secret(config.lightning_url, token, config.dial))
    os.execve(argv[0], argv, environment)  # noqa: S606 - the supervisor takes this process over


def start_mock(port: int) -> None:
    """Start the platform that `-l mock` means, unless one listens there.

    It ends with this process, also when another program has taken that over.
    """
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            return
    subprocess.Popen(
        [sys.executable, "-m", "holdfast.testing.mock", str(port)],
        preexec_fn=partial(kernel.die_with_parent, signal.SIGTERM),  # noqa: PLW1509 - one thread
        start_new_session=True,  # Ctrl-C is for the worker, which drains
    )


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
