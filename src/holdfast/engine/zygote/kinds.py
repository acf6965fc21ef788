"""Which runs one zygote may serve, and the notes from which the supervisor knows what is wanted.

A kind is a digest over the project, the adaptors with paths and integrity, the egress policy and
the limits. Each has a note in `<data>/zygotes`, which holds no names of runs and no secrets, and
beside it the socket of its keeper, once one serves. The store keeps notes of kinds that were
served, for a worker that starts on a new data folder. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from holdfast.engine.config import EngineConfig
from holdfast.engine.request import RunRequest
from holdfast.model.json import JsonObject
from holdfast.model.limits import Limits

#: Runs within `IDLE_SECONDS` after which a zygote is made for a kind; one is enough for a kind
#: that had so many the last time it had any.
RUNS = 2
#: Kinds that have a zygote at a time: those that ran last.
_KINDS = 4
#: A kind keeps its zygote for so long after a run, whatever other kinds come meanwhile: with many
#: kinds in turn, each run would else have one made.
_STAY_SECONDS = 30.0
#: A kind that had no run for so long needs none.
IDLE_SECONDS = 120.0
#: What is known of a kind is forgotten after this time without a run.
_KNOWN_SECONDS = 24 * 3600.0
_ENDING = ".json"
#: The store's folder of notes.
_SERVED = ".kinds"
_REFUSED = ".refused"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a zygote is made for."""

    name: str
    adaptors: JsonObject
    limits: Limits

    @classmethod
    def of(cls, config: EngineConfig, request: RunRequest) -> Kind:
        """The kind of a run."""
        adaptors = request.options.get("adaptors")
        known = adaptors if isinstance(adaptors, dict) else {}
        whole = {
            **{name: request.options.get(name) for name in ("project_id", "egress")},
            "adaptors": known,
            "limits": made_for(request.limits),
            "store": _identity(config.store),
        }
        text = json.dumps(whole, sort_keys=True)
        return cls(hashlib.sha256(text.encode()).hexdigest()[:24], known, request.limits)

    @property
    def options(self) -> JsonObject:
        """What the program of a zygote is told first."""
        return {"zygote": "parent", "preload": list(self.adaptors), "adaptors": self.adaptors}

    def to_json(self) -> JsonObject:
        return {"adaptors": self.adaptors, "limits": self.limits.to_json()}


def made_for(limits: Limits) -> list[int]:
    """What of a run's limits is built into the process that serves it."""
    memory = [limits.memory_mb, limits.overhead_mb]
    return [*memory, limits.scratch_mb, limits.processes, limits.open_files]


def folder(config: EngineConfig) -> Path:
    """Where notes and sockets lie."""
    return config.data / "zygotes"


def socket_path(config: EngineConfig, name: str) -> Path:
    """Where the keeper of this kind listens."""
    return folder(config) / name


def count(config: EngineConfig, kind: Kind, *, forced: bool = False) -> None:
    """Note that a run of this kind has come. `forced`: it needs a zygote at once."""
    path = folder(config) / f"{kind.name}{_ENDING}"
    note = _read(path)
    runs, first = _whole(note, "runs", 0), _whole(note, "first", 1)
    with suppress(OSError):  # the next run counts again
        if runs and _age(path, time.time()) > IDLE_SECONDS:
            runs, first = 0, 1 if runs >= RUNS else RUNS
        if runs >= RUNS:
            os.utime(path)
            return
        counted = RUNS if forced else runs + 1
        _write(path, {**kind.to_json(), "runs": counted, "first": first})


def expect(config: EngineConfig) -> None:
    """Want the kinds again that an earlier engine had runs of: its runs go on here.

    On a new data folder: the one that was served last from the same store, by whatever engine.
    All of them give way to a kind that has a run.
    """
    if not _recent(folder(config)):
        _take_over(config)
    then = time.time() - _STAY_SECONDS
    for path in _recent(folder(config))[:_KINDS]:
        with suppress(OSError):
            os.utime(path, (then, then))


def served(config: EngineConfig, kind: Kind) -> None:
    """Note in the store that a zygote of this kind serves, if the store can be written to."""
    if config.store is None:
        return
    notes = config.store / _SERVED
    note: JsonObject = {
        **kind.to_json(),
        "runs": RUNS,
        "first": 1,
        "store": [*_identity(config.store)],
    }
    with suppress(OSError):
        notes.mkdir(mode=0o700, exist_ok=True)
        _write(notes / f"{kind.name}{_ENDING}", note)
        for path in notes.iterdir():
            if _age(path, time.time()) > _KNOWN_SECONDS:
                path.unlink(missing_ok=True)


def _take_over(config: EngineConfig) -> None:
    """Copy the store's last note; not of a store that was copied itself: its kinds differ."""
    if config.store is None:
        return
    for path in _recent(config.store / _SERVED)[:1]:
        note = _read(path)
        if note.pop("store", None) == _identity(config.store):
            with suppress(OSError):
                _write(folder(config) / path.name, note)


def _recent(notes: Path) -> list[Path]:
    """Notes of kinds that had enough runs, the latest first."""
    now, found = time.time(), list[tuple[float, Path]]()
    with suppress(OSError):
        for path in notes.glob(f"*{_ENDING}"):
            age = _age(path, now)
            if age <= _KNOWN_SECONDS and _whole(_read(path), "runs", 0) >= RUNS:
                found.append((age, path))
    return [path for _, path in sorted(found)]


def read(config: EngineConfig, name: str) -> Kind | None:
    """The kind of this name, if its note can be read."""
    note = _read(folder(config) / f"{name}{_ENDING}")
    try:
        limits = Limits.from_json(cast("JsonObject", note["limits"]))
        return Kind(name, cast("JsonObject", note["adaptors"]), limits)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def wanted(config: EngineConfig, held: Iterable[str] = (), now: float | None = None) -> list[str]:
    """Names of the kinds that ran lately and often enough, the latest first.

    `held`: those that have a zygote now.
    """
    now, present = time.time() if now is None else now, set(held)
    found: list[tuple[bool, float, str]] = []
    with suppress(OSError):
        for path in folder(config).glob(f"*{_ENDING}"):
            age, note = _age(path, now), _read(path)
            if age > _KNOWN_SECONDS:
                path.unlink(missing_ok=True)
            elif age <= IDLE_SECONDS and _whole(note, "runs", 0) >= _whole(note, "first", 1):
                name = path.name.removesuffix(_ENDING)
                found.append((name not in present or age > _STAY_SECONDS, age, name))
    return [name for _, _, name in sorted(found)[:_KINDS]]


def refuse(config: EngineConfig, name: str) -> None:
    """Note that no zygote can be made for this kind."""
    with suppress(OSError):
        (folder(config) / f"{name}{_REFUSED}").touch(mode=0o600)


def serving(data: Path) -> list[str]:
    """The adaptors of each zygote that serves, by the data folder of its engine; sorted."""
    found = list[str]()
    with suppress(OSError):
        for path in (data / "zygotes").glob(f"*{_ENDING}"):
            adaptors = _read(path).get("adaptors") if path.with_suffix("").is_socket() else None
            if isinstance(adaptors, dict):
                found.append(", ".join(sorted(adaptors)))
    return sorted(found)


def waits(config: EngineConfig, name: str) -> bool:
    """Whether a zygote of this kind may still come."""
    return not (folder(config) / f"{name}{_REFUSED}").exists()


def tidy(config: EngineConfig) -> None:
    """Remove what an earlier engine has left but for its notes."""
    with suppress(OSError), os.scandir(folder(config)) as entries:
        for entry in entries:
            if not entry.name.endswith(_ENDING) and not entry.name.startswith("heavy-"):
                Path(entry.path).unlink(missing_ok=True)


def _identity(path: Path | None) -> list[int]:
    """Tells a store from one that was laid in its place: the walls show the former."""
    try:
        seen = path.stat() if path is not None else None
    except OSError:
        seen = None
    return [] if seen is None else [seen.st_dev, seen.st_ino]


def _read(path: Path) -> JsonObject:
    with suppress(OSError, ValueError):
        note = json.loads(path.read_text())
        if isinstance(note, dict):
            return note
    return {}


def _whole(note: JsonObject, name: str, otherwise: int) -> int:
    value = note.get(name)
    return value if isinstance(value, int) else otherwise


def _age(path: Path, now: float) -> float:
    return now - path.stat().st_mtime


def _write(path: Path, note: JsonObject) -> None:
    temporary = Path(f"{path}.{os.getpid()}")
    temporary.write_text(json.dumps(note, sort_keys=True))
    temporary.rename(path)
