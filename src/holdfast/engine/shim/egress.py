"""The shim's side of the egress broker: connections of a run, and calls that no run may make.

The broker is a process of its own, started at the run's first call. The shim never waits for it.
"""

from __future__ import annotations

import os
import select
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from holdfast.engine.loop import Loop
from holdfast.model.bodies import Level
from holdfast.sandbox import broker_process
from holdfast.sandbox.broker_process import BrokerProcess
from holdfast.sandbox.egress import Policy
from holdfast.sandbox.tally import CONNECTION, REACHED, Notice

#: How long to wait for a broker's last notices, and then for its end. Milliseconds.
_LAST_WORDS_MS, _END_MS = 300, 1000
#: Forbidden system call -> what the code wanted to do, for the log line.
_ATTEMPTS = {
    **dict.fromkeys(("fork", "vfork", "clone", "socketpair", "execve"), "to start a process"),
    **dict.fromkeys(("kill", "tkill", "tgkill", "fcntl"), "to signal another process"),
    **dict.fromkeys(("bind", "listen"), "to listen for connections"),
    **dict.fromkeys(
        ("ptrace", "process_vm_readv", "process_vm_writev", "pidfd_open", "pidfd_getfd"),
        "to look into another process",
    ),
    "fchmod": "to change the rights of a file that is not its own",
    "prlimit64": "to change the limits of another process",
}


class Egress:
    """Serves one run from `start` to `stop`.

    `scratch`: the run's, where it is no file system of its own.
    """

    def __init__(
        self,
        loop: Loop,
        policy: Policy,
        log: Callable[[Level, str], None],
        scratch: Path | None = None,
        reached: Counter[str] | None = None,
    ) -> None:
        self._loop = loop
        self._policy = policy
        self._log = log
        self._scratch = scratch
        self._listener: int | None = None
        self._pidfd = -1
        self._broker: BrokerProcess | None = None
        self._told: set[tuple[str, str]] = set()
        #: Connections that were refused, each target once: address and rule.
        self.refused: list[tuple[str, str]] = []
        self._counts: Counter[str] = Counter()
        #: Connections that were begun, by address; the empty text stands for further addresses.
        self.reached: Counter[str] = Counter() if reached is None else reached

    def start(self, descriptor: int, pidfd: int) -> None:
        """See that the calls that come on this descriptor, which is ours now, are answered."""
        self._listener, self._pidfd = descriptor, pidfd
        self._loop.read(descriptor, self._asked)

    def stop(self) -> None:
        """The run is over."""
        self._let_go()
        self._end()
        for kind, count in sorted(self._counts.items()):
            told = sum(1 for known, _ in self._told if known == kind)
            if count > told:
                what = "connections" if kind == CONNECTION else "forbidden calls"
                self._log("warn", f"In all {count} {what} of this run were refused")
        self._counts.clear()

    def _asked(self) -> None:
        """The first call of the run, or its end."""
        if self._listener is None or not _readable(self._listener):
            self._let_go()
            return
        try:
            self._broker = broker_process.start(
                self._listener, self._pidfd, self._policy, self._scratch
            )
        except OSError as error:
            self._log("warn", f"Connections of this run are refused: {error.strerror}")
        else:
            self._loop.read(self._broker.channel.fileno(), self._hear)
        self._let_go()

    def _let_go(self) -> None:
        """Close our end: once the broker's is closed too, the kernel refuses every call."""
        if self._listener is not None:
            self._loop.forget(self._listener)
            os.close(self._listener)
            self._listener = None

    def _hear(self) -> None:
        assert self._broker is not None
        notices = self._broker.notices()
        if notices is None:
            self._end()
        for notice in notices or ():
            self._tell(notice)

    def _end(self) -> None:
        """Take the broker's last words and end it, without waiting long for either."""
        broker, self._broker = self._broker, None
        if broker is None:
            return
        self._loop.forget(broker.channel.fileno())
        with suppress(OSError):
            broker.channel.shutdown(1)
        hearing = select.poll()
        hearing.register(broker.channel, select.POLLIN)
        gone = False
        while not gone and hearing.poll(_LAST_WORDS_MS):
            notices = broker.notices()
            gone = notices is None
            for notice in notices or ():
                self._tell(notice)
        broker.channel.close()
        failed = broker.end(_END_MS)
        if gone and failed:
            self._log("warn", "The broker of this run ended: further connections are refused")

    def _tell(self, notice: Notice) -> None:
        """Each target and call once; how many there were in all, at the end."""
        if notice.kind == REACHED:
            self.reached[notice.text] += notice.count
            return
        self._counts[notice.kind] += notice.count
        if not notice.text or (notice.kind, notice.text) in self._told:
            return
        self._told.add((notice.kind, notice.text))
        if notice.kind == CONNECTION:
            target, _, rule = notice.text.partition(" ")
            self.refused.append((target, rule))
            self._log(
                "warn",
                f"Connection to {target} refused: the egress policy of this run does not allow it"
                f" (rule {rule})",
            )
        else:
            attempt = _ATTEMPTS.get(notice.text, "to change what the kernel gives it")
            text = f"The run's code tried {attempt} ({notice.text}): refused, no run may do that"
            self._log("warn", text)


def _readable(descriptor: int) -> bool:
    """Whether a call waits; the end of the run wakes the loop as well."""
    asking = select.poll()
    asking.register(descriptor, select.POLLIN)
    return any(events & select.POLLIN for _, events in asking.poll(0))
