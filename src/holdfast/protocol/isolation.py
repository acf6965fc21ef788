"""Which event ended the connection: those that may have are sent alone, one at a time.

A frame that a platform cannot take closes the socket, and with it the channels of all runs
(`docs/spec/lightning-answers.md` 13, rule 6). Every event that was under way then is a suspect.
While there are suspects, nothing else is sent; the one whose frame ends the connection again,
alone, is guilty and is changed by its owner. Pure; one for each connection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Isolation:
    """Owners are runs' deliveries. `ready` says whether an owner's channel could take an event."""

    flying: int = 0  # events under way, of all runs
    _suspects: dict[object, Callable[[], bool]] = field(default_factory=dict)
    _waiting: dict[object, Callable[[], None]] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        """Whether a suspect is being tried: nothing that a cut would cost should begin now."""
        return self._turn() is not None

    def accused(self, owner: object) -> bool:
        """Whether the owner has suspects."""
        return owner in self._suspects

    def accuse(self, owner: object, ready: Callable[[], bool]) -> None:
        """The owner's next event may have ended the connection."""
        self._suspects.setdefault(owner, ready)

    def clear(self, owner: object) -> None:
        """The owner has no suspects (any more)."""
        self._waiting.pop(owner, None)
        if self._suspects.pop(owner, None) is not None:
            self._poke()

    def may_send(self, owner: object, poke: Callable[[], None], *, suspect: bool) -> bool:
        """Whether an event may go now; if not, `poke` is called when that may have changed."""
        turn = self._turn()
        may = not suspect if turn is None else owner is turn and self.flying == 0
        if not may:
            self._waiting[owner] = poke
        return may

    def sent(self) -> None:
        """An event is under way."""
        self.flying += 1

    def landed(self) -> None:
        """An event is no longer under way."""
        self.flying -= 1
        if self.flying == 0:
            self._poke()

    def _turn(self) -> object | None:
        return next((owner for owner, ready in self._suspects.items() if ready()), None)

    def _poke(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for poke in waiting.values():
            poke()
