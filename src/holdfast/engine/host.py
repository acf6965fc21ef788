"""What this host offers to runs, found out once by the supervisor. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.engine.config import EngineConfig
from holdfast.sandbox import seccomp
from holdfast.sandbox.egress import Address
from holdfast.sandbox.finder import Groups
from holdfast.sandbox.hosts import nameservers, own_addresses
from holdfast.sandbox.probe import Grants, probe


@dataclass(frozen=True, slots=True)
class Host:
    """Means for limits, isolation layers, and addresses that are nobody's but ours."""

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
