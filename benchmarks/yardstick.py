"""How fast the machine is at the moment: what a figure is to be read against.

The bars were set on a machine where an empty Node.js took 22 ms of processor time
(`docs/figures.md`). The same machine may be slower on another day, since others share it.
"""

from __future__ import annotations

import os
import statistics
import subprocess

from holdfast.engine.config import node_binary

#: Processor time of an empty Node.js where the bars were set.
THEN_MS = 22.0


def empty_node_ms(times: int = 9) -> float:
    """Milliseconds of processor time that Node.js takes to start and leave, median."""
    found = []
    for _ in range(times):
        before = os.times()
        subprocess.run([str(node_binary()), "-e", "0"], check=True)
        after = os.times()
        used = after.children_user - before.children_user
        found.append((used + after.children_system - before.children_system) * 1000)
    return statistics.median(found)


def pace() -> float:
    """How many times slower this machine is now; 1 where it is as fast or faster.

    To be taken right beside the figure that it is for: a shared machine changes within minutes.
    """
    return max(1.0, empty_node_ms(5) / THEN_MS)


def say() -> None:
    """Print the yardstick."""
    now = empty_node_ms()
    print(
        f"yardstick: an empty Node.js takes {now:.0f} ms of processor time, {THEN_MS:.0f} where "
        f"the bars were set: this machine is {now / THEN_MS:.1f} times slower now",
        flush=True,
    )
