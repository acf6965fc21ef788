"""Node in isolation: `python -m holdfast.adaptors.walled FOLDER SCRIPT LOADER FILE`.

Loading an adaptor runs its code. At installation this happens here, with more isolation than a run
has: its own user without rights, no network, no other program, little memory and time. It can read
only Node, its libraries and the adaptor's folder, and it can write nothing. A layer that this host
does not have is left out; a layer that the host has and refuses is an error. Node's permission
model is always used.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from pathlib import Path

from holdfast.adaptors.node import node_binary
from holdfast.sandbox import seccomp, system, v8
from holdfast.sandbox.groups import Sampling
from holdfast.sandbox.probe import FIRST_USER, probe
from holdfast.sandbox.spawn import spawn
from holdfast.sandbox.spec import NO_DUMP, Execution, Layer, Network, Spec

_CPU_SECONDS = 60
_MEMORY_MB = 512
_OPEN_FILES = 256
_SCRATCH_BYTES = 1024 * 1024
_NICENESS = 5
_FLAGS = ("--max-semi-space-size=1", *v8.FLAGS, "--no-warnings", "--openssl-config=/dev/null")
_ENVIRONMENT = {"PATH": "/nonexistent", "HOME": "/nonexistent"}


def main(folder: str, script: str, loader: str, file: str) -> int:
    """Run the script inside the walls; its exit code, above 128 for a signal. SpawnError."""
    visible = [Path(path) for path in (folder, script, loader)]
    node = node_binary().resolve()
    with tempfile.TemporaryDirectory(prefix="holdfast-load-") as scratch:
        spec = Spec(
            Sampling(),
            _descriptors(),
            argv=(str(node), *_arguments(visible), script, loader, file),
            environment=_ENVIRONMENT,
            scratch=Path(scratch),
            scratch_bytes=_SCRATCH_BYTES,
            readable=(*system.LIBRARIES, Path("/etc/ld.so.cache"), *visible),
            executable=(node, *system.loaders()),
            rlimits=_limits(),
            layers=_layers([*visible, node]),
            user=FIRST_USER + os.getpid(),
            network=Network.NONE,
            niceness=_NICENESS,
        )
        if {Layer.SECCOMP, Layer.EGRESS} <= spec.layers:
            spec.execution = Execution.ONCE
        spec.layers -= {Layer.EGRESS}
        started = spawn(spec)
        _, status = os.waitpid(started.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _arguments(visible: list[Path]) -> list[str]:
    allowed = [f"--allow-fs-read={path}" for path in visible]
    return ["--permission", *allowed, f"--max-old-space-size={_MEMORY_MB}", *_FLAGS]


def _descriptors() -> dict[int, int]:
    """The answer goes where ours goes; everything else leads nowhere."""
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    return {0: null, 1: 1, 2: null, 3: null}


def _limits() -> dict[int, int]:
    return {
        resource.RLIMIT_CPU: _CPU_SECONDS,
        resource.RLIMIT_CORE: NO_DUMP,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
    }


def _layers(needed: list[Path]) -> frozenset[Layer]:
    """All that this host has; a user of its own only where that one can read what it needs."""
    layers = probe().layers
    if Layer.NAMESPACES not in layers or not all(map(system.is_open_to_others, needed)):
        layers -= {Layer.UID}
    return layers


if __name__ == "__main__":
    seccomp.rules()  # read now; soon we cannot
    sys.exit(main(*sys.argv[1:]))
