"""Standby: a shim whose run process is started before there is a run.

It is given a connection by the supervisor and becomes the shim of the run that is asked for
there. Nothing of any run is loaded ahead. Adaptors are, but they are foreign code that could keep
what a run gives it, so a process that has loaded any serves only runs of the same project with the
same adaptors, policy and limits. Where runs differ from one to the next, or their project is
unknown, no adaptor is loaded ahead, and the process serves any run.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from contextlib import suppress
from pathlib import Path

from holdfast import log
from holdfast.engine.config import EngineConfig
from holdfast.engine.frames import FromRun, ToRun
from holdfast.engine.host import Host
from holdfast.engine.loop import Loop
from holdfast.engine.request import RunRequest
from holdfast.engine.shim.launch import RunProcess
from holdfast.model.json import JsonObject
from holdfast.model.limits import Limits
from holdfast.sandbox.spec import Network

#: What the latest run loaded, for standby processes. Holds no names of runs and no secrets.
_RECENT = "standby.json"
#: Adaptors are loaded ahead after so many runs of one audience in a row.
_ROW = 2


class Waiting:
    """What a shim does between its runs: it waits for a connection, maybe with a process ready."""

    def __init__(self, config: EngineConfig, host: Host, channel: socket.socket) -> None:
        self.loop = Loop()
        self.ready: RunProcess | None = None
        self._config = config
        self._host = host
        self._channel = channel
        self._made = 0
        self._connections: list[int] = []
        self._over = False

    def connection(self) -> socket.socket | None:
        """The next run's; None when the supervisor is gone or wants no more of this shim."""
        self.loop.read(self._channel.fileno(), self._told)
        while not self._connections and not self._over:
            self.loop.turn()
        self.loop.forget(self._channel.fileno())
        if not self._connections:
            return None
        descriptor = self._connections.pop()
        os.set_inheritable(descriptor, False)
        return socket.socket(fileno=descriptor)

    def take(self) -> RunProcess | None:
        """The process that is ready; another one may be made for now. None where none is."""
        ready, self.ready = self.ready, None
        self._say("wanted" if ready is None else "used")
        return ready

    def idle(self) -> None:
        """Tell the supervisor that the next run may come."""
        self._say("idle+" if self.ready is not None else "idle-")

    def end(self) -> None:
        """Give back what waits."""
        if self.ready is not None:
            self.ready.discard()

    def _say(self, word: str) -> None:
        with suppress(OSError):  # it is gone: the next look at the channel tells
            self._channel.send(word.encode())

    def _told(self) -> None:
        try:
            word, descriptors, _, _ = socket.recv_fds(self._channel, 16, 1)
        except OSError:
            word, descriptors = b"", []
        self._connections.extend(descriptors)
        if word == b"prepare":
            self._prepare()
        elif not word:
            self._over = True

    def _prepare(self) -> None:
        """Make a process ready."""
        config = self._config
        limits = Limits(memory_mb=config.standby_memory_mb, overhead_mb=config.standby_overhead_mb)
        self._made += 1
        run = RunProcess(
            config,
            self._host,
            self.loop,
            limits,
            network=Network(config.standby_network),
            label=f"standby-{self._made}",
        )
        seen: list[int] = []

        def frame(sender: str, kind: int, _body: bytes) -> None:
            if sender != "engine" or kind != FromRun.READY:
                self._lost(f"{sender} sent a frame of type {kind}")
            elif not seen:
                self._say("ready")
                _preload(config, run)
            seen.append(kind)

        run.on_frame = frame
        run.on_end = lambda process: self._lost(f"{process.name} ended")
        self.ready = run
        try:
            run.start()
        except OSError as error:
            self._lost(str(error))

    def _lost(self, why: str) -> None:
        log.warn("standby.lost", why=why)
        run, self.ready = self.ready, None
        if run is not None:
            run.on_frame, run.on_end = (lambda *_: None), (lambda _: None)
            run.discard()
        self.idle()


def _preload(config: EngineConfig, run: RunProcess) -> None:
    """Load the adaptors of the latest runs, if they were all alike; else our own code only."""
    options: JsonObject = {"preload": [], "adaptors": {}}
    note = _read(config)
    if note.get("audience") is not None and _count(note) >= _ROW:
        run.audience = str(note["audience"])
        options = {name: note[name] for name in ("preload", "adaptors")}
    if (hosts := run.walls.hosts) is not None:
        options["hosts"] = {name: [*addresses] for name, addresses in hosts.items()}
    run.engine.outlet.send(ToRun.OPTIONS, json.dumps(options).encode())


def audience_of(request: RunRequest) -> str | None:
    """Which runs may share what has been loaded for this one: a digest that is the same for them.

    It covers the project, the adaptors with paths and integrity, the egress policy and the limits.
    None where the project is not known: then no other run may. A conductor loads no adaptors.
    """
    options = request.options
    if not options.get("project_id") or options.get("process_per_step") is True:
        return None
    whole = {
        **{name: options.get(name) for name in ("project_id", "adaptors", "egress")},
        "limits": request.limits.to_json(),
    }
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def remember(config: EngineConfig, request: RunRequest) -> None:
    """Note what a run loads, for standby processes made from now on."""
    adaptors = request.options.get("adaptors")
    if not config.standby or not isinstance(adaptors, dict) or not adaptors:
        return
    before, audience = _read(config), audience_of(request)
    known = {"audience": audience, "preload": list(adaptors), "adaptors": adaptors}
    alike = all(before.get(name) == value for name, value in known.items())
    count = _count(before) if alike else 0
    if count >= _ROW:
        return
    path = config.data / _RECENT
    temporary = Path(f"{path}.{os.getpid()}")
    with suppress(OSError):  # the next process only loads less ahead
        temporary.write_text(json.dumps({**known, "runs": count + 1}, sort_keys=True))
        temporary.rename(path)


def _read(config: EngineConfig) -> JsonObject:
    """The note; {} where there is none, or none that can be read."""
    with suppress(OSError, ValueError):
        note = json.loads((config.data / _RECENT).read_text())
        if isinstance(note, dict) and note.keys() >= {"preload", "adaptors", "runs"}:
            return note
    return {}


def _count(note: JsonObject) -> int:
    count = note.get("runs")
    return count if isinstance(count, int) else 0
