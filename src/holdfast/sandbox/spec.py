"""What to start, and with which isolation (walls)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from holdfast.sandbox.groups import Group

#: Where scratch is inside a file tree of one's own.
SCRATCH = "/scratch"
#: `RLIMIT_CORE` that lets no memory out. A machine may give what a crashed process held to a
#: program (`core_pattern`); the kernel does so at any limit, also at 0, and only not at this one.
NO_DUMP = 1


class Layer(StrEnum):
    """One layer of isolation. The values are what journals and `holdfast doctor` print."""

    CLEAN = "clean-start"  # empty environment, no descriptors but 0 to 3, dies with its parent
    RLIMITS = "rlimits"  # open files, file size, core dumps, processes
    NO_NEW_PRIVILEGES = "no-new-privileges"
    NAMESPACES = "namespaces"  # mounts, processes, ipc, host name; user where not root
    NETWORK = "network-namespace"  # no network at all
    UID = "own-uid"  # a user of its own for each run, when root
    LANDLOCK = "landlock"
    SECCOMP = "seccomp"
    EGRESS = "egress-broker"  # every connect() decided outside the run
    NODE = "node-permissions"  # Node's own permission model, on top


class Network(StrEnum):
    """What the network layer does for one process."""

    OPEN = "open"  # TCP and UDP to anywhere
    BROKER = "broker"  # every connect() is decided by the shim
    NONE = "none"


class Execution(StrEnum):
    """Whether a process may turn into a program."""

    NEVER = "never"
    ONCE = "once"  # the one it was started for; needs what the egress broker needs
    FREE = "free"  # any that its files let it execute


@dataclass(slots=True)
class Spec:
    """A process to start: either a program (`argv`) or a function of this program (`call`).

    `descriptors` maps the child's numbers to ours. Paths in `readable` and `executable` are all
    it can see beside its scratch folder. `rlimits` maps `resource.RLIMIT_*` to values.
    """

    group: Group
    descriptors: dict[int, int]
    argv: tuple[str, ...] = ()
    call: Callable[[], None] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    scratch: Path | None = None
    scratch_bytes: int = 64 * 1024 * 1024
    readable: tuple[Path, ...] = ()
    #: Files with contents of their own. Only where there are namespaces.
    written: dict[str, bytes] = field(default_factory=dict)
    executable: tuple[Path, ...] = ()
    rlimits: dict[int, int] = field(default_factory=dict)
    layers: frozenset[Layer] = frozenset()
    user: int | None = None
    network: Network = Network.OPEN
    #: Of a program (`argv`) only: ONCE or FREE.
    execution: Execution = Execution.FREE
    niceness: int = 0
    #: Of a zygote: names of scratch folders for its children, each a file system of its own.
    slots: tuple[str, ...] = ()

    @property
    def inner_scratch(self) -> str | None:
        """The scratch folder as the process names it."""
        if self.scratch is None:
            return None
        return SCRATCH if Layer.NAMESPACES in self.layers else str(self.scratch)


@dataclass(slots=True)
class Started:
    """A process that runs inside its walls. `broker` receives its connect() calls, if asked.

    `kept`: handles to be closed when it is gone.
    """

    pid: int
    pidfd: int
    broker: int | None = None
    kept: tuple[int, ...] = ()
