"""Runs doors: case by case, with a limit of time for each, and keeps the cases that fail."""

from __future__ import annotations

import hashlib
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from random import Random
from types import FrameType
from typing import Protocol, cast

from fuzz.values import changed

SEEDS = Path(__file__).with_name("seeds")
DOORS = (
    "run_records",
    "run_frames",
    "worker_frames",
    "http_requests",
    "journals",
    "project_files",
)
#: No honest case takes this long, on the busiest machine.
CASE_SECONDS = 60
#: Between two reports of a door that goes on.
TELL_SECONDS = 10.0
_SHARED_MEMORY = Path("/dev/shm")

#: Takes a case, says how many items (records, frames, requests) were in it, or raises.
Target = Callable[[bytes], int]


class Door(Protocol):
    """What a module of `tests/fuzz/doors` has."""

    def make(self, chance: Random) -> bytes:
        """A case of the door's own grammar."""

    def opened(self, folder: Path) -> AbstractContextManager[Target]:
        """What takes a case and raises when something is wrong; `folder` is its own."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one door."""

    door: str
    cases: int
    items: int
    seconds: float
    #: Somebody stopped it before its time.
    stopped: bool = False

    def __str__(self) -> str:
        return f"{self.door}: {self.cases} cases, {self.items} items in {self.seconds:.0f} s"


class DoorFell(AssertionError):  # noqa: N818 - what happened
    """A case made a target raise; the message says how to see it again."""


def door_of(name: str) -> Door:
    """The module of a door."""
    return cast("Door", import_module(f"fuzz.doors.{name}"))


def kept(name: str) -> list[bytes]:
    """The seeds of a door: good cases to start from, and all that ever failed."""
    folder = SEEDS / name
    return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.is_dir() else []


def case_of(name: str, seed: str, number: int, seeds: list[bytes]) -> bytes:
    """The case of this number: the same each time."""
    chance = Random(f"{name} {seed} {number}")
    data = chance.choice(seeds) if seeds and chance.random() < 0.3 else door_of(name).make(chance)
    return changed(data, chance) if chance.random() < 0.4 else data


def run(
    name: str,
    seed: str,
    *,
    cases: int | None = None,
    seconds: float | None = None,
    least: int | None = None,
    only: int | None = None,
    tell: Callable[[Report], None] = lambda _: None,
) -> Report:
    """All seeds of a door, then cases until so many of them, so much time, or so many items.

    Raises DoorFell.

    KeyboardInterrupt ends it early. `tell` gets a report every ten seconds.
    """
    seeds, begun, told, count, items = kept(name), time.monotonic(), 0.0, 0, 0
    stopped = False

    def report() -> Report:
        return Report(name, count, items, time.monotonic() - begun, stopped)

    memory = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix="hf-fuzz-", dir=memory) as folder,
        door_of(name).opened(Path(folder)) as target,
    ):
        try:
            for number, data in enumerate(seeds):
                items += _try(target, data, f"{name}: seed {number}")
                count += 1
            for number in numbers(cases, None if seconds is None else begun + seconds, only):
                data = case_of(name, seed, number, seeds)
                again = f"python -m tests.fuzz {name} --seed {seed} --case {number}"
                items += _try(target, data, again, keep=SEEDS / name)
                count += 1
                if least is not None and items >= least:
                    break
                if time.monotonic() - begun - told > TELL_SECONDS:
                    told = time.monotonic() - begun
                    tell(report())
        except KeyboardInterrupt:
            stopped = True
    return report()


def numbers(cases: int | None, until: float | None, only: int | None) -> Iterator[int]:
    """Numbers of cases up to a count, a time, or just one of them."""
    if only is not None:
        yield only
        return
    number = 0
    while (cases is None or number < cases) and (until is None or time.monotonic() < until):
        yield number
        number += 1


def _try(target: Target, data: bytes, again: str, keep: Path | None = None) -> int:
    try:
        with _limited(CASE_SECONDS):
            return target(data)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"fell-{hashlib.sha256(data).hexdigest()[:12]}.case").write_bytes(data)
        message = (
            f"{type(error).__name__}: {error}\nSee it again: {again}\nThe case: {data[:2000]!r}"
        )
        raise DoorFell(message) from error


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    def late(_number: int, _frame: FrameType | None) -> None:
        message = f"the case took longer than {seconds:g} s"
        raise TimeoutError(message)

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
