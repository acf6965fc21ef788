"""Becomes Node inside walls: `python -m holdfast.adaptors.walled FOLDER SCRIPT LOADER FILE`.

Loading an adaptor runs its code. At installation that happens here: no network, nothing readable
but Node and the adaptor's folder, nothing writable, no other program, little memory and time.
Walls that this host does not have are left out; one that it has and refuses is an error. Node's
permission model is always there.
"""

from __future__ import annotations

import os
import resource
import sys

from holdfast.adaptors.node import node_binary
from holdfast.sandbox import kernel, landlock, seccomp, v8
from holdfast.sandbox.spec import Execution, Network

_CPU_SECONDS = 60
_MEMORY_MB = 512
_FLAGS = ("--max-semi-space-size=1", *v8.FLAGS, "--no-warnings")
#: What Node's own loading needs to see of the system.
_SYSTEM = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ssl", "/etc/ld.so.cache", "/dev")


def main(folder: str, script: str, loader: str, file: str) -> None:
    """Build the walls, then turn into Node."""
    node = str(node_binary())
    arguments = [
        node,
        "--permission",
        f"--allow-fs-read={folder}",
        f"--allow-fs-read={script}",
        f"--allow-fs-read={loader}",
        f"--max-old-space-size={_MEMORY_MB}",
        *_FLAGS,
        script,
        loader,
        file,
    ]
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    seccomp.rules()  # read now; soon we cannot
    kernel.no_new_privileges()
    if landlock.version():
        landlock.restrict([folder, script, loader, *_SYSTEM, "/proc/self"], [node, *_SYSTEM], [])
    if seccomp.available():
        seccomp.install(Network.NONE, Execution.FREE)
    os.execve(node, arguments, {"PATH": "/nonexistent", "HOME": "/nonexistent"})  # noqa: S606 no shell is the point


if __name__ == "__main__":
    main(*sys.argv[1:])
