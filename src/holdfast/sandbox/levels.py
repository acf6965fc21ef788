"""How strong the isolation of this host is, in one word, and what the next word would need."""

from __future__ import annotations

from enum import IntEnum

from holdfast.sandbox.probe import Grants
from holdfast.sandbox.spec import Layer


class Level(IntEnum):
    """Each level includes those below it. `docs/isolation.md` says which attacks each stops."""

    NONE = 0  # a process of its own, nothing more
    BASIC = 1  # clean start, limits, nothing gains rights
    STRONG = 2  # files, other processes, system calls and closed addresses are out of reach
    FULL = 3  # a world of its own, memory enforced by the kernel


_NEEDS: dict[Level, frozenset[Layer]] = {
    Level.BASIC: frozenset({Layer.CLEAN, Layer.RLIMITS, Layer.NO_NEW_PRIVILEGES}),
    Level.STRONG: frozenset({Layer.LANDLOCK, Layer.SECCOMP, Layer.EGRESS}),
    Level.FULL: frozenset({Layer.NAMESPACES}),
}
_KERNEL_MEANS = frozenset({"cgroup-v1", "cgroup-v2"})


def missing(grants: Grants, means: str, level: Level) -> list[str]:
    """What this host lacks for a level, by name; empty when it has it."""
    lacking = [
        layer.value
        for step in Level
        if step <= level
        for layer in sorted(_NEEDS.get(step, frozenset()) - grants.layers)
    ]
    if level >= Level.FULL and means not in _KERNEL_MEANS:
        lacking.append("memory limit by the kernel")
    return lacking


def level_of(grants: Grants, means: str) -> Level:
    """The highest level this host has."""
    return max(level for level in Level if not missing(grants, means, level))
