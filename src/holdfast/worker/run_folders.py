"""The folders of runs: opened at a claim, found again after a start, put away when delivered."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from holdfast import durable, faults, log
from holdfast.journal import (
    DeliveryState,
    Journal,
    JournalDamaged,
    JournalReader,
    Mark,
    RunFolder,
    RunLock,
    folder_name,
)
from holdfast.model import bodies
from holdfast.model.json import Json, JsonObject
from holdfast.model.record import Kind
from holdfast.worker.syncs import together
from holdfast.worker.vault import Vault

_TELLING = frozenset({Kind.CLAIMED, Kind.PREPARED, Kind.LAUNCHED, Kind.OUTCOME})
_RENEWED = "token"  # the sealed token of a later claim, where there was one
#: Larger than any CLAIMED record. A larger journal that cannot be read held more than a claim.
_CLAIM_BYTES = 64 * 1024
_KEPT = {"journal", "mark", "plan.json"}
#: And this, where the project agreed that its runs are recorded.
_REPLAYED = {"recorded", "input.json", "blobs"}


@dataclass(slots=True)
class FoundRun:
    """What the folder of one run tells."""

    folder: RunFolder
    run_id: str
    token: str | None
    loop: str = ""  # key of the workloop that claimed it
    prepared: bool = False
    launched: bool = False
    ended: bool = False
    timeout_seconds: float = 0.0  # of a prepared run
    memory_mb: int = 0  # of a prepared run, with what comes on top of the heap
    claimed_at: float = field(default_factory=time.time)  # or given again; Unix seconds
    keep: bool = True  # False: the platform keeps no data of this run, so we keep none
    resumed: bool = True  # an earlier process may have sent some of it
    credential_ids: tuple[str, ...] = ()  # whose secrets the platform masks in log lines
    delivery: DeliveryState = DeliveryState.OPEN

    @property
    def unstarted(self) -> bool:
        """No process of this run has ever existed: it may be prepared (again)."""
        return not (self.launched or self.ended)


@dataclass(frozen=True, slots=True)
class Unread:
    """A run's folder that the disk will not let us read now. Says nothing about the run."""

    path: Path
    error: OSError


class RunFolders:
    """All run folders of one worker. The methods block; call them in a thread."""

    def __init__(self, journals: Path, archive: Path, vault: Vault) -> None:
        self.journals = journals
        self.archive = archive
        self._vault = vault
        for path in (journals, archive):
            durable.make_folder(path)

    def open(
        self, run_id: str, token: str, platform: str, worker: str, loop: str = ""
    ) -> FoundRun:
        """A new run: its claim is on disk when this returns. FileExistsError, OSError."""
        left = self.journals / folder_name(run_id)
        if left.exists() and self.is_bare(left):  # by an attempt that the disk did not allow
            remove(left)
        folder = RunFolder.begin(self.journals, run_id)
        try:
            sealed, salt = self._vault.begin(folder.path, token)
            body: bodies.Claimed = {
                "run_id": run_id,
                "platform": platform,
                "token": sealed,
                "worker": worker,
                "loop": loop,
            }
            with Journal.begin(folder.journal) as journal:
                journal.append(Kind.CLAIMED, bodies.encode(body))
                together(
                    journal.flush,
                    partial(durable.sync_file, salt),
                    partial(durable.sync_folder, folder.path),
                    partial(durable.sync_folder, self.journals),
                )
        except OSError:
            shutil.rmtree(folder.path, ignore_errors=True)
            raise
        return FoundRun(folder, run_id, token, loop, resumed=False)

    def found(self) -> Iterator[FoundRun | Path | Unread]:
        """Every run that is not put away, as `look` finds it."""
        for path in sorted(self.journals.iterdir()):
            if path.is_dir():
                yield self.look(path)

    def look(self, path: Path) -> FoundRun | Path | Unread:
        """One run's folder; its bare path if it tells nothing."""
        try:
            return self.read(path) or path
        except OSError as error:
            return Unread(path, error)

    def read(self, path: Path) -> FoundRun | None:
        """What a run's folder tells; None if not even the claim can be read. OSError."""
        folder = RunFolder(path)
        case: FoundRun | None = None
        try:
            with JournalReader(folder.journal) as reader:
                for record in reader.find(_TELLING):
                    if record.kind == Kind.CLAIMED:
                        body = record.json()
                        token = self._vault.open(path, self._sealed(folder, body))
                        loop = str(body.get("loop") or "")
                        case = FoundRun(folder, str(body["run_id"]), token, loop)
                        case.claimed_at = _renewed_at(folder) or record.time_us / 1e6
                    elif case is not None:
                        if record.kind == Kind.PREPARED:
                            _prepared(case, record.shown())
                        case.launched = case.launched or record.kind == Kind.LAUNCHED
                        case.ended = case.ended or record.kind == Kind.OUTCOME
        except (FileNotFoundError, JournalDamaged, ValueError, KeyError):
            return None
        if case is not None:
            with Mark(folder.mark) as mark:
                case.delivery = mark.position.delivery
        return case

    def renew(self, case: FoundRun, token: str) -> None:
        """Use, and if the disk allows keep, a new token of a run that was given to us again."""
        case.token, case.claimed_at = token, time.time()
        path = case.folder.path
        try:
            durable.write(path / _RENEWED, self._vault.seal(path, token).encode())
        except OSError as error:
            log.error("run.token_not_kept", run=case.run_id, why=error)

    def append(self, folder: RunFolder, *records: tuple[Kind, Mapping[str, object]]) -> int:
        """Write records into a journal that no shim owns. JournalLocked if one does."""
        with Mark(folder.mark) as mark:
            position = mark.position
        with (
            RunLock(folder.lock),
            Journal.open(
                folder.journal, after=position.sequence, offset=position.offset, reserve=False
            ) as journal,
        ):
            for kind, body in records:
                journal.append(kind, bodies.encode(body), essential=True)
            return journal.flush()

    @staticmethod
    def make_durable(folder: RunFolder) -> None:
        """What a dead shim wrote, and may not have synced, is delivered only after this."""
        file = os.open(folder.journal, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.fdatasync(file)
        finally:
            os.close(file)

    @staticmethod
    def _sealed(folder: RunFolder, claimed: JsonObject) -> str:
        try:
            return (folder.path / _RENEWED).read_text()
        except FileNotFoundError:
            return str(claimed.get("token") or "")

    def close(
        self, folder: RunFolder, delivery: DeliveryState, notes: list[JsonObject], *, keep: bool
    ) -> None:
        """Put a run away: its end is marked, its token forgotten, its folder moved.

        `keep`: the journal stays for a look back, without secrets, and without input and outputs
        where the run was not recorded.
        """
        keep_notes(folder, notes)
        with Mark(folder.mark) as mark:
            if mark.position.delivery is not delivery:
                mark.close_delivery(delivery)
        faults.point("agent.complete")
        self.put_away(folder, keep=keep)

    def put_away(self, folder: RunFolder, *, keep: bool) -> None:
        """Move a run whose delivery is over out of the way; may be done again after a kill."""
        if notes := kept_notes(folder):
            # Killed behind this once, it has them: all, or a beginning of them.
            with JournalReader(folder.journal) as reader:
                there = sum(record.kind == Kind.NOTE for record in reader.read())
            self.append(folder, *((Kind.NOTE, note) for note in notes[there:]))
        folder.notes.unlink(missing_ok=True)
        self._vault.forget(folder.path)
        # Else a power cut could take back that delivery is over, and not what is removed now: the
        # run would be delivered again without its documents.
        durable.sync_file(folder.mark)
        kept = _KEPT | _REPLAYED if folder.recorded.exists() else _KEPT
        for path in folder.path.iterdir():
            if path.name not in kept and not path.name.startswith("journal.cut-"):
                remove(path)
        faults.point("agent.archive")
        if not keep:
            shutil.rmtree(folder.path, ignore_errors=True)
            return
        target = self.archive / folder.path.name
        number = 1
        while target.exists():
            number += 1
            target = self.archive / f"{folder.path.name}~{number}"
        folder.path.rename(target)
        durable.sync_folder(self.archive)
        os.utime(target)

    def is_bare(self, path: Path) -> bool:
        """Whether a folder was only being made: no claim in it was ever acknowledged."""
        try:
            with JournalReader(RunFolder(path).journal) as reader:
                return next(reader.read(), None) is None and reader.tail_bytes < _CLAIM_BYTES
        except FileNotFoundError:
            return True
        except JournalDamaged:
            return False

    def set_aside(self, path: Path) -> Path:
        """Move a folder that tells nothing out of the way, for a person to look at."""
        target = self.archive / f"damaged-{path.name}-{time.time_ns() // 1_000_000}"
        path.rename(target)
        return target

    def prune(self, *, keep_seconds: float, keep_bytes: int) -> int:
        """Remove archived runs that are too old, or the oldest where they take too much room."""
        entries = []
        for path in self.archive.iterdir():
            size = sum(item.stat().st_size for item in path.rglob("*") if item.is_file())
            entries.append((path.stat().st_mtime, size, path))
        entries.sort(reverse=True)
        removed, total = 0, 0
        oldest = time.time() - keep_seconds
        for modified, size, path in entries:
            total += size
            if modified < oldest or total > keep_bytes:
                remove(path)
                removed += 1
        return removed


def _renewed_at(folder: RunFolder) -> float | None:
    """When the run was given to us again, if it was."""
    try:
        return (folder.path / _RENEWED).stat().st_mtime
    except FileNotFoundError:
        return None


def _prepared(case: FoundRun, body: JsonObject) -> None:
    """What PREPARED tells; a claim counts also where this cannot be read."""
    case.prepared = True
    case.keep = body.get("output_dataclips") is not False
    limits = body.get("limits")
    given = limits if isinstance(limits, dict) else {}
    case.timeout_seconds = _number(given.get("timeout_seconds"), case.timeout_seconds)
    memory = _number(given.get("memory_mb"), 0) + _number(given.get("overhead_mb"), 0)
    case.memory_mb = int(memory) or case.memory_mb
    names = body.get("credentials")
    case.credential_ids = tuple(map(str, names)) if isinstance(names, list) else ()


def _number(value: Json, otherwise: float) -> float:
    return value if isinstance(value, int | float) else otherwise


def keep_notes(folder: RunFolder, notes: list[JsonObject]) -> None:
    """Remember notes for the journal, which the shim may still be writing. OSError."""
    if notes:
        with folder.notes.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(note) + "\n" for note in notes)


def kept_notes(folder: RunFolder) -> list[JsonObject]:
    """What `keep_notes` remembered. A line that a power cut left torn is no note."""
    found: list[JsonObject] = []
    if folder.notes.exists():
        for line in folder.notes.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
    return found


def remove(path: Path) -> None:
    """Remove a file or folder; missing is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_documents(
    folder: RunFolder, plan: str, state: bytes, *, recorded: bool = False
) -> tuple[int, int]:
    """Write plan and input durably; returns the bytes of each. OSError."""
    if recorded:
        folder.recorded.touch(mode=0o600)
    text = plan.encode("utf-8", "surrogatepass")
    durable.draft(folder.plan, text)
    durable.draft(folder.input, state)
    together(
        partial(durable.sync_file, folder.input),
        partial(durable.sync_file, folder.plan),
        partial(durable.sync_folder, folder.path),
    )
    return len(text), len(state)


def plain(value: Json) -> str:
    """A JSON value as text for a message to a person."""
    return value if isinstance(value, str) else json.dumps(value)
