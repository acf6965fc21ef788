"""`retry` of a workflow: which failed runs start again by themselves, and when. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from holdfast.model.json import Json, JsonObject
from holdfast.model.outcome import RunState

#: Ends that may be retried, and those that are where the author names none: what is seldom the
#: fault of the workflow's code.
RETRIED = ("failed", "crashed", "killed", "exception", "lost")
USUAL = ("killed", "exception", "lost")
MOST_TIMES, LONGEST_WAIT = 20, 24 * 3600
_NUMBERS = {"times": (1, MOST_TIMES), "backoff_seconds": (0, LONGEST_WAIT)}
_MEMBERS = (*_NUMBERS, "on", "idempotent")


@dataclass(frozen=True, slots=True)
class RetryRule:
    """What an author says of automatic retries."""

    times: int = 1
    #: Before the first one; each further one waits twice as long, a day at most.
    backoff_seconds: int = 60
    on: tuple[str, ...] = USUAL
    #: Steps may be executed again.
    idempotent: bool = False

    @classmethod
    def of(cls, value: JsonObject) -> Self:
        """From a value without problems."""
        told = dict(value)
        if isinstance(states := told.get("on"), list):
            told["on"] = tuple(states)  # type: ignore[assignment] # a tuple of texts
        return cls(**told)  # type: ignore[arg-type]

    def wait_seconds(self, retries: int) -> int:
        """Before the next retry, when there were so many."""
        return min(self.backoff_seconds << retries, LONGEST_WAIT)

    def refusal(self, state: RunState, retries: int, *, untouched: bool) -> str | None:
        """Why a run that ended so is not retried, in words; None: it is.

        `untouched`: its worker has told its end, and it had begun no step.
        """
        if state.value not in self.on:
            return f"the workflow retries no run that is {state}"
        if retries >= self.times:
            return f"it was retried {retries} times"
        if not untouched and not self.idempotent:
            return "a step had begun, or may have, and the workflow is not said to be idempotent"
        return None


def retry_problems(value: Json) -> Iterator[str]:
    """What is wrong with a `retry`; null is none."""
    if value is None:
        return
    if not isinstance(value, dict):
        yield "retry must be a map"
        return
    for name in sorted(set(value) - set(_MEMBERS)):
        yield f"retry: {name!r} is not known; it has {', '.join(_MEMBERS)}"
    for name, (least, most) in _NUMBERS.items():
        number = value.get(name, least)
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
            yield f"retry: {name} must be a whole number from {least} to {most}"
    states = value.get("on", [])
    if not isinstance(states, list) or not all(state in RETRIED for state in states):
        yield f"retry: on must be a list of {', '.join(RETRIED)}"
    if not isinstance(value.get("idempotent", False), bool):
        yield "retry: idempotent must be true or false"
