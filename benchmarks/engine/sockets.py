"""`python -m benchmarks.engine.sockets`: what a look at a run's sockets costs beside many others.

A process has ten connections, the machine 1, 10 and 100 times 120. Prints the least processor time
of twenty looks: by the kernel's socket diagnosis, and by its lists.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import time
from contextlib import ExitStack

from benchmarks.yardstick import pace
from holdfast.sandbox import groups, sockets

_OWN, _OTHERS, _LOOKS = 10, 120, 20


def connect(stack: ExitStack, server: socket.socket, count: int) -> None:
    """Connections to ourselves: two sockets for each."""
    for _ in range(count // 2):
        stack.enter_context(socket.create_connection(server.getsockname()))
        stack.enter_context(server.accept()[0])


def cost_ms(pid: int) -> float:
    """Of one look."""

    def look() -> float:
        before = time.process_time()
        sockets.held_bytes([pid])
        return time.process_time() - before

    return min(look() for _ in range(_LOOKS)) * 1000


def main() -> None:
    """See the module."""
    print(f"pace {pace():.1f}")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    ready, told = os.pipe()
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as server, ExitStack() as stack:
        pid = os.fork()
        if pid == 0:
            connect(stack, server, _OWN)
            os.write(told, b"1")
            signal.pause()
            os._exit(0)
        os.read(ready, 1)
        diagnosis, made = sockets._SOCK_DIAG, 0
        for times in (1, 10, 100):
            wanted = min(_OTHERS * times, most - 100)
            connect(stack, server, wanted - made)
            made = wanted
            sockets._SOCK_DIAG = diagnosis
            by_diagnosis = cost_ms(pid)
            sockets._SOCK_DIAG = 31  # the kernel has no such part
            by_lists = cost_ms(pid)
            apart = max(groups._SOCKETS_SECONDS, by_diagnosis / 1000 * groups._SOCKETS_PAUSE)
            print(
                f"{made:6} sockets: {by_diagnosis:5.1f} ms a look, one in {apart:.2f} s:"
                f" {by_diagnosis / apart / 10:.1f} % of a processor; by lists {by_lists:.1f} ms"
            )
        os.kill(pid, 9)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
