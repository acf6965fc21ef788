"""Events of an installation of adaptors, for progress bars and logs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Event(Enum):
    """One kind of news about one adaptor."""

    PRESENT = "present"  # it is there already
    RESOLVED = "resolved"  # a tag or range was turned into a version
    WAITING = "waiting"  # another task or process installs it
    INSTALLING = "installing"
    RETRYING = "retrying"  # after a failure of the network
    DAMAGED = "damaged"  # its files are not what was installed; installing again
    INSTALLED = "installed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class InstallEvent:
    """News about one adaptor. Names and numbers only: safe to log."""

    event: Event
    specifier: str
    version: str | None = None
    seconds: float = 0.0
    message: str = ""


Listener: TypeAlias = Callable[[InstallEvent], None]


def ignore(_event: InstallEvent) -> None:
    """A listener that does nothing."""
