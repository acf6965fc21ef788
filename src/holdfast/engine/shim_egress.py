"""The shim's part of the egress policy: answers the run's connect() calls, tells refusals."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.engine.shim_loop import Loop
from holdfast.sandbox.broker import Broker
from holdfast.sandbox.egress import Policy
from holdfast.sandbox.hosts import Resolver

#: Refusals told one by one; a port scan needs no more lines than these.
_MAX_LINES = 20


class Egress:
    """Serves one run from `start` to `stop`."""

    def __init__(self, loop: Loop, policy: Policy, log: Callable[[str, str], None]) -> None:
        self._loop = loop
        self._policy = policy
        self._log = log
        self._told: set[str] = set()
        self._broker: Broker | None = None
        self._resolver = Resolver(policy.hosts)

    def start(self, descriptor: int, pidfd: int) -> None:
        """Answer the calls that come on this descriptor."""
        self._broker = Broker(descriptor, pidfd, self._policy, self._resolver, self._refused)
        self._loop.read(descriptor, self._call)
        if self._resolver.refresh():
            self._loop.read(self._resolver.descriptor, self._named)

    def stop(self) -> None:
        """The run is over."""
        if self._broker is not None:
            self._loop.forget(self._broker.descriptor)
            self._loop.forget(self._resolver.descriptor)
            self._broker.close()
            self._broker = None

    def _call(self) -> None:
        if self._broker is not None and not self._broker.handle():
            self.stop()

    def _named(self) -> None:
        self._resolver.take()
        if self._broker is not None:
            self._broker.names_known()

    def _refused(self, target: str) -> None:
        if target in self._told or len(self._told) >= _MAX_LINES:
            return
        self._told.add(target)
        self._log(
            "warn",
            f"Connection to {target} refused: the egress policy of this worker"
            f" ({self._policy.base}) does not allow it",
        )
