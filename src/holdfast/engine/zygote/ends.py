"""The descriptors between a child of a zygote and its shim: pipes 0 to 3, and last the hand.

The hand is a socket on which the child says that it is born and the zygote how it has ended.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable

from holdfast.engine.shim.pipes import pipe

FILES = 5


def make() -> tuple[list[int], list[int]]:
    """The shim's ends and the child's."""
    hand, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    hand.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    into, plain, error, out = pipe(), pipe(), pipe(), pipe()
    ours = [into[1], plain[0], error[0], out[0], hand.detach()]
    return ours, [into[0], plain[1], error[1], out[1], theirs.detach()]


def close(descriptors: Iterable[int]) -> None:
    """Close all of them."""
    for descriptor in descriptors:
        os.close(descriptor)
