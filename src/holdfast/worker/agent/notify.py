"""Tells systemd that the worker is ready, alive and stopping (`Type=notify`, `WatchdogSec`)."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import suppress


class Notifier:
    """Does nothing where nobody listens: without NOTIFY_SOCKET in the environment."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET") or None
        # A name that begins with "@" is an abstract one.
        self._address = "\0" + address[1:] if address and address[0] == "@" else address
        microseconds = environment.get("WATCHDOG_USEC", "")
        self._watchdog_seconds = int(microseconds) / 1e6 if microseconds.isdigit() else 0.0

    def tell(self, state: str) -> None:
        """Send one assignment, such as `READY=1`."""
        if self._address is None:
            return
        # Whoever listened may have gone: no reason to stop working.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.setblocking(False)
            channel.sendto(state.encode(), self._address)

    async def keep_alive(self) -> None:
        """Say that the event loop turns, twice in each time that systemd waits. Cancel to end."""
        while self._watchdog_seconds:
            self.tell("WATCHDOG=1")
            await asyncio.sleep(self._watchdog_seconds / 2)
