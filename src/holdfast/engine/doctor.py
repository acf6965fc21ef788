"""What this machine offers to runs, what is missing, and how to get it: `holdfast doctor`."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

from holdfast.engine.config import EngineConfig, EngineError
from holdfast.engine.host import Host
from holdfast.engine.run import program
from holdfast.engine.zygote.rule import Choice, unavailable
from holdfast.engine.zygote.trial import tried_out
from holdfast.model.json import Json, JsonObject
from holdfast.sandbox.egress import Entry, Policy
from holdfast.sandbox.hosts import nameservers, own_addresses
from holdfast.sandbox.levels import Level, level_of
from holdfast.sandbox.spec import Layer

_WHAT = {
    Layer.CLEAN: "empty environment, no inherited files, dies with its shim",
    Layer.RLIMITS: "open files, file size, processes",
    Layer.NO_NEW_PRIVILEGES: "nothing started can gain rights",
    Layer.NAMESPACES: "its own files, processes and names; a scratch with a limit",
    Layer.NETWORK: "no network at all, for the policy `none`",
    Layer.UID: "a user of its own for every run",
    Layer.LANDLOCK: "sees its adaptors and libraries only",
    Layer.SECCOMP: "system calls it does not need are refused",
    Layer.EGRESS: "each connection is decided outside the run",
    Layer.NODE: "Node's own permission model on top",
}
_HOW = {
    Layer.NAMESPACES: "Allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, "
    "kernel.apparmor_restrict_unprivileged_userns=0), or start as root.",
    Layer.NETWORK: "The same as for namespaces.",
    Layer.UID: "Start as root, where that is acceptable: runs then get users of their own.",
    Layer.LANDLOCK: "Use Linux 5.13 or newer with `landlock` in the boot option lsm=.",
    Layer.SECCOMP: "Use x86-64; in a container allow the seccomp system call.",
    Layer.EGRESS: "Allow seccomp and pidfd_getfd in the container's profile. Until then the "
    "egress policies `lan`, `public` and lists are only advice.",
}
_FORKS_HOW = "Runs only start later. It needs a C compiler at installation, and the level full."
_DUMPS_HOW = (
    "Start with a hard limit of 1 or more: LimitCORE=1 (unit), --ulimit core=1 (container)."
)
_MEANS_HOW = (
    "Start as root, or with a delegated control group: systemd-run --user -p Delegate=yes "
    "holdfast worker (a unit: Delegate=yes). Until then memory is sampled."
)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report. `fix` says how to get what is missing."""

    name: str
    good: bool
    text: str
    fix: str | None = None

    def to_json(self) -> JsonObject:
        return {"name": self.name, "ok": self.good, "text": self.text, "fix": self.fix}


@dataclass(frozen=True, slots=True)
class Report:
    """All checks, and the level they add up to."""

    level: Level
    means: str
    layers: list[Check]
    checks: list[Check]

    @property
    def works(self) -> bool:
        """Whether runs can be executed at all."""
        return all(check.good for check in self.checks if check.name in ("node", "data"))

    def to_json(self) -> JsonObject:
        return {
            "level": self.level.name.lower(),
            "memory_means": self.means,
            "layers": [check.to_json() for check in self.layers],
            "checks": [check.to_json() for check in self.checks],
        }


def examine(data: Path, require: str | None = None) -> Report:
    """Look at this machine, as this user, with this data folder.

    Raises EngineError when its isolation is below the level `require`.
    """
    try:
        config = EngineConfig(data, data / "engine.sock")
        node = _node(config.node)
    except EngineError as error:
        node = Check("node", False, error.message, error.fix)
        config = EngineConfig(data, data / "engine.sock", node=Path("/nonexistent"))
    host = Host.look(config)
    host.require(require)
    layers = [
        Check(layer.value, True, _WHAT[layer])
        if layer in host.grants.layers
        else Check(layer.value, False, host.grants.missing[layer], _HOW.get(layer))
        for layer in Layer
    ]
    means = host.groups.means
    checks = [_system(), node, _data(data), _memory(host), _zygotes(config, host)]
    checks.append(dumps(resource.getrlimit(resource.RLIMIT_CORE)[1], _core_pattern()))
    return Report(level_of(host.grants, means), means, layers, checks)


def reach(target: str, policy: Json, resolve: Callable[[str], Iterable[str]]) -> list[Check]:
    """Whether a run may connect to `host:port`: one check per address, each with its rule.

    `policy` is an engine option. Raises EgressError when it, or the target, is not understood.
    """
    rule = Policy.from_option(policy, own_addresses=own_addresses(), nameservers=nameservers())
    wanted = Entry.parse(target)
    port = wanted.port or 443
    if wanted.block is not None:
        found = [str(wanted.block.network_address)]
    else:
        found = sorted(set(resolve(str(wanted.host))))
    if not found:
        return [Check("reach", False, f"{wanted.host} has no address here", "Check the name.")]
    known = {host: frozenset(map(ip_address, resolve(host))) for host in rule.hosts}
    checks = []
    for text in found:
        refused = rule.refusal(ip_address(text), port, known)
        words = f"{target} ({text}): " + ("allowed" if refused is None else f"refused, {refused}")
        fix = f"Add it to the policy: WORKER_EGRESS={rule.base},{target}"
        checks.append(Check("reach", refused is None, words, fix))
    return checks


def _system() -> Check:
    user = "root" if os.geteuid() == 0 else f"user {os.geteuid()}"
    text = f"Linux {platform.release()} on {platform.machine()}, {os.cpu_count()} CPUs, {user}"
    return Check("system", True, text)


def _node(binary: Path) -> Check:
    try:
        found = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=30, check=True, env={}
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Check("node", False, f"{binary}: {error}", "Install Holdfast again.")
    return Check("node", True, f"Node.js {found.stdout.strip()} ({binary})")


def _data(data: Path) -> Check:
    parent = data
    while not parent.exists():
        parent = parent.parent
    if not os.access(parent, os.W_OK | os.X_OK):
        fix = "Choose one that this user may write to: HOLDFAST_DATA or --data."
        return Check("data", False, f"{data} cannot be written to", fix)
    free = shutil.disk_usage(parent).free // (1024 * 1024)
    return Check("data", True, f"{data}, {free} MB free")


def _zygotes(config: EngineConfig, host: Host) -> Check:
    """Has a zygote made and tried out, as a worker does, in a folder that is removed."""
    name, cause = "warm forks", None
    with tempfile.TemporaryDirectory(prefix="holdfast-doctor-") as folder:
        Path(folder).chmod(0o755)
        try:
            config = replace(config, data=Path(folder), lane=Choice.ZYGOTE)
            config = replace(config, program=program.install(config))
            cause = unavailable(config, host) or tried_out(config, host)
        except (EngineError, OSError) as error:
            cause = str(error)
    if cause is None:
        return Check(name, True, "runs of one kind are forked from a process with their adaptors")
    return Check(name, False, f"{cause}; each run starts its own process", _FORKS_HOW)


def dumps(hard_limit: int, pattern: str) -> Check:
    """Where what a crashed run held goes. The kernel asks a program at any limit but `NO_DUMP`."""
    name, program = "core dumps", pattern.strip()
    if hard_limit != 0 or not program.startswith("|"):
        return Check(name, True, "what a crashed run held goes nowhere")
    text = f"what a crashed run held goes to {program[1:].split(' ', 1)[0]}: the hard limit is 0"
    return Check(name, False, text, _DUMPS_HOW)


def _core_pattern() -> str:
    try:
        return Path("/proc/sys/kernel/core_pattern").read_text()
    except OSError:  # hidden: nothing is known against it
        return ""


def _memory(host: Host) -> Check:
    groups = host.groups
    if groups.means != "sampling":
        return Check("memory limit", True, f"enforced by the kernel ({groups.means})")
    causes = "; ".join(f"{means}: {cause}" for means, cause in groups.missing.items())
    return Check("memory limit", False, f"by sampling ({causes})", _MEANS_HOW)
