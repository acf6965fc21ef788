"""Who goes where: which runs are served by a child of a zygote, and where there can be none."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from holdfast.engine.config import EngineConfig
from holdfast.engine.host import Host
from holdfast.engine.request import RunRequest
from holdfast.engine.run.program import LIBRARY, LOADER
from holdfast.engine.zygote import kinds
from holdfast.engine.zygote.child import connect
from holdfast.engine.zygote.kinds import Kind
from holdfast.model.limits import MEBIBYTE
from holdfast.sandbox.spec import Layer, Network

#: Without one of these, children of one zygote could get at each other.
NEEDED = (
    Layer.CLEAN, Layer.RLIMITS, Layer.NO_NEW_PRIVILEGES, Layer.NAMESPACES, Layer.LANDLOCK,
    Layer.SECCOMP, Layer.EGRESS,
)  # fmt: skip
#: A child collects garbage with one thread: a large state takes it twice the time and more room.
_LARGE_INPUT = 2 * MEBIBYTE
#: A workflow whose run used this share of its memory goes elsewhere from then on.
_HEAVY_SHARE = 0.5
#: How long a run waits for a zygote where nothing else is allowed.
_FORCED_SECONDS = 30.0


class Choice(StrEnum):
    """The option that says where runs go."""

    AUTO = "auto"  # to a zygote where one fits, else to a process that waits, else to a new one
    ZYGOTE = "zygote"  # each run waits for a zygote; only where none can be is there another way
    STANDBY = "standby"  # never to a zygote
    COLD = "cold"  # to a new process


def unavailable(config: EngineConfig, host: Host) -> str | None:
    """Why there are no zygotes on this host; None where there can be."""
    if config.lane not in (Choice.AUTO, Choice.ZYGOTE):
        return f"the option says {config.lane}"
    if config.lane == Choice.AUTO and not config.standby:
        return "no process is to wait for runs (--standby 0)"
    if config.program.name != LOADER or not (config.program.parent / LIBRARY).is_file():
        return f"{LIBRARY} was not built: there was no C compiler at installation"
    lacking = [layer.value for layer in NEEDED if layer not in host.grants.layers]
    if lacking:
        return f"a layer is missing: {', '.join(lacking)}"
    if host.groups.means == "sampling":
        return "the kernel does not limit memory for us"
    return None


def keeper_for(
    config: EngineConfig, request: RunRequest, network: Network, workflow: str | None
) -> socket.socket | None:
    """A connection to the keeper that serves this run; None where it goes elsewhere.

    `workflow`: the digest of its code; None for one that is too large.
    """
    if config.lane not in (Choice.AUTO, Choice.ZYGOTE) or network is Network.OPEN:
        return None
    forced = config.lane == Choice.ZYGOTE
    if not forced and (workflow is None or _is_large(config, request, workflow)):
        return None
    kind = Kind.of(config, request)
    kinds.count(config, kind, forced=forced)
    found = connect(config, kind.name)
    end = time.monotonic() + _FORCED_SECONDS
    while found is None and forced and time.monotonic() < end and kinds.waits(config, kind.name):
        time.sleep(0.01)
        found = connect(config, kind.name)
    return found


def remember(config: EngineConfig, workflow: str | None, used: int, limit: int) -> None:
    """Note how much memory a run has used, if that is too much for a child."""
    if workflow is not None and used > limit * _HEAVY_SHARE:
        with suppress(OSError):  # the next run notes it
            _mark(config, workflow).touch(mode=0o600)


def _is_large(config: EngineConfig, request: RunRequest, workflow: str) -> bool:
    try:
        size = os.stat(request.directory / "input.json").st_size  # noqa: PTH116 - for every run
    except OSError:
        size = 0
    return size > _LARGE_INPUT or _mark(config, workflow).exists()


def _mark(config: EngineConfig, workflow: str) -> Path:
    return kinds.folder(config) / f"heavy-{workflow}"
