"""Waiting ready-made: a shim that has a run process before there is a run.

It is given a connection by the supervisor and becomes the shim of the run that is asked for
there. The adaptors of the latest run are loaded ahead; nothing of any run is.
"""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from pathlib import Path

from holdfast.engine.config import EngineConfig
from holdfast.engine.frames import FromRun, ToRun
from holdfast.engine.host import Host
from holdfast.engine.loop import Loop
from holdfast.engine.shim.launch import RunProcess
from holdfast.engine.shim.processes import Process
from holdfast.model.json import JsonObject
from holdfast.model.limits import Limits
from holdfast.sandbox.spec import Network

#: What the latest run loaded, for those that wait; no names of runs, no secrets.
_RECENT = "standby.json"


class Unusable(Exception):  # noqa: N818 - no error: the supervisor makes another one
    """The processes that waited are gone, or nobody will ask for them."""


def wait(
    config: EngineConfig, host: Host, channel: socket.socket
) -> tuple[socket.socket, Loop, RunProcess]:
    """Make a run process and wait for the connection of a run. Raises Unusable, OSError."""
    loop = Loop()
    run = RunProcess(
        config,
        host,
        loop,
        Limits(memory_mb=config.standby_memory_mb, overhead_mb=config.standby_overhead_mb),
        network=Network(config.standby_network),
    )
    try:
        run.start()
        return _wait(config, channel, loop, run), loop, run
    except BaseException:
        run.discard()
        raise


def _wait(
    config: EngineConfig, channel: socket.socket, loop: Loop, run: RunProcess
) -> socket.socket:
    connections: list[int] = []
    gone: list[str] = []
    ready: list[int] = []

    def frame(sender: str, kind: int, _body: bytes) -> None:
        if sender != "engine" or kind != FromRun.READY:
            gone.append(f"{sender} sent a frame of type {kind}")
        elif not ready:
            _preload(config, run)
        ready.append(kind)

    def ended(process: Process) -> None:
        gone.append(f"{process.name} ended")

    def told() -> None:
        data, descriptors, _, _ = socket.recv_fds(channel, 16, 1)
        connections.extend(descriptors)
        if not data:
            gone.append("the supervisor is gone")

    run.on_frame, run.on_end = frame, ended
    loop.read(channel.fileno(), told)
    while not connections:
        loop.turn()
        if gone:
            raise Unusable(gone[0])
    loop.forget(channel.fileno())
    os.set_inheritable(connections[0], False)
    return socket.socket(fileno=connections[0])


def _preload(config: EngineConfig, run: RunProcess) -> None:
    """Have the adaptors of the latest run loaded, or none but the usual code paths gone."""
    options: JsonObject = {"preload": [], "adaptors": {}}
    with suppress(OSError, ValueError):
        options = json.loads((config.data / _RECENT).read_text())
    run.engine.outlet.send(ToRun.OPTIONS, json.dumps(options).encode())


def remember(config: EngineConfig, options: JsonObject) -> None:
    """Note what a run loads, for standby processes made from now on."""
    adaptors = options.get("adaptors")
    if not config.standby or not isinstance(adaptors, dict) or not adaptors:
        return
    text = json.dumps({"preload": list(adaptors), "adaptors": adaptors}, sort_keys=True)
    path = config.data / _RECENT
    with suppress(OSError):
        if not path.exists() or path.read_bytes() != text.encode():
            temporary = Path(f"{path}.{os.getpid()}")
            temporary.write_text(text)
            temporary.rename(path)
