"""Answers what the walls ask the shim about: connections, and calls that no run may make."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

from holdfast.engine.loop import Loop
from holdfast.sandbox.broker import Broker
from holdfast.sandbox.egress import Policy
from holdfast.sandbox.hosts import Resolver

#: Refusals told one by one; a port scan needs no more lines than these.
_MAX_LINES = 20
#: What code that makes a forbidden call is after.
_ATTEMPTS = {
    **dict.fromkeys(("fork", "vfork", "clone", "socketpair"), "to start a process"),
    **dict.fromkeys(("kill", "tkill", "tgkill"), "to signal another process"),
    **dict.fromkeys(("bind", "listen"), "to listen for connections"),
    **dict.fromkeys(
        ("ptrace", "process_vm_readv", "process_vm_writev", "pidfd_open", "pidfd_getfd"),
        "to look into another process",
    ),
    "prlimit64": "to change the limits of another process",
}


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
        self._broker = Broker(
            descriptor,
            pidfd,
            self._policy,
            self._resolver,
            self._refused,
            on_forbidden=self._forbidden,
        )
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
        host, _, port = target.rpartition(":")
        rule = self._policy.refusal(ip_address(host), int(port), self._resolver.known)
        self._tell(
            f"Connection to {target} refused: the egress policy of this run does not allow it"
            f" (rule {rule or self._policy.base})",
        )

    def _forbidden(self, name: str) -> None:
        attempt = _ATTEMPTS.get(name, "to change what the kernel gives it")
        self._tell(f"The run's code tried {attempt} ({name}): refused, no run may do that")

    def _tell(self, text: str) -> None:
        if text not in self._told and len(self._told) < _MAX_LINES:
            self._told.add(text)
            self._log("warn", text)
