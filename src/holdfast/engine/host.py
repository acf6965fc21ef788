"""What this host offers to runs, found out once by the supervisor. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.engine.config import EngineConfig, EngineError
from holdfast.model.json import JsonObject
from holdfast.sandbox import seccomp
from holdfast.sandbox.egress import Address
from holdfast.sandbox.finder import Groups
from holdfast.sandbox.hosts import nameservers, own_addresses
from holdfast.sandbox.levels import Level, level_of, missing
from holdfast.sandbox.probe import Grants, probe
from holdfast.sandbox.spec import Layer


@dataclass(frozen=True, slots=True)
class Host:
    """Means for limits, isolation layers, and this machine's own addresses."""

    groups: Groups
    grants: Grants
    own_addresses: frozenset[Address]
    nameservers: frozenset[Address]

    @classmethod
    def look(cls, config: EngineConfig) -> Host:
        """Try everything; takes some tens of milliseconds, and only a single thread may."""
        seccomp.prepare()  # once for all shims
        grants = probe().without(config.without)
        return cls(Groups(config.limits), grants, own_addresses(), nameservers())

    def told(self) -> JsonObject:
        """What it offers, for whoever looks after the worker."""
        return {
            "isolation": level_of(self.grants, self.groups.means).name.lower(),
            "memory_means": self.groups.means,
            "layers": [layer.value for layer in Layer if layer in self.grants.layers],
            "missing_layers": {layer.value: why for layer, why in self.grants.missing.items()},
        }

    def require(self, level: str | None) -> None:
        """Raises EngineError when this host's isolation is below the level of this name."""
        if not level:
            return
        if level.upper() not in Level.__members__:
            message = f"There is no isolation level {level!r}."
            raise EngineError(message, fix="Use none, basic, strong or full.")
        lacking = missing(self.grants, self.groups.means, Level[level.upper()])
        if lacking:
            message = f"This machine does not offer the isolation level {level}: "
            fix = "`holdfast doctor` says how to get what is missing."
            raise EngineError(message + ", ".join(lacking) + ".", fix=fix)
