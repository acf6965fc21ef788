"""Journal files, as an older version, a broken disk or another's hand may have left them."""

from __future__ import annotations

import itertools
import json
import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from fuzz.doors.run_records import HONEST, TIME
from fuzz.harness import Target
from fuzz.values import text_of
from holdfast.cli.journal import problems, summary
from holdfast.engine import postmortem
from holdfast.engine.supervisor import lost_runs
from holdfast.journal import DeliveryState, Journal, JournalError, JournalReader, Mark, Position
from holdfast.journal.record import MAGIC, encode
from holdfast.model.record import Kind
from holdfast.protocol.frames import Message, encode_text
from holdfast.worker.outbox import events
from holdfast.worker.outbox.outbox import Outbox
from holdfast.worker.run_folders import RunFolders
from holdfast.worker.vault import Vault

BODIES = {
    **HONEST,
    Kind.CLAIMED: {"run_id": "r", "platform": "p", "token": "t", "worker": "w"},
    Kind.PREPARED: {"limits": {}, "adaptors": {}, "plan_bytes": 1, "input_bytes": 1},
    Kind.LAUNCHED: {"shim": 1, "shim_started": 1, "boot": "b", "pids": {"engine": 2**22},
                    "started": {"engine": 1}, "layers": [], "memory_limit_mb": 1,
                    "memory_means": "sampling", "group": None, "scratch": "/nowhere/x",
                    "timeout_ms": 1},
    Kind.RUN_START: {"timestamp": TIME, "versions": {"a": ["1"]}},
    Kind.SAMPLE: {"memory_mb": 1.5, "at": 1},
    Kind.OUTCOME: {"timestamp": TIME, "reason": "kill", "error_type": "E", "error_message": "m",
                   "evidence": {"memory": {"peak": 1, "heap": 1}, "place": {"phase": "step"}}},
    Kind.NOTE: {"what": "refused", "event": "run:log", "why": "x"},
}  # fmt: skip


def make(chance: Random) -> bytes:
    """A whole journal with a nasty part; sometimes with numbers or lengths that lie."""
    wild = chance.choice((0.0, 0.02, 0.1))
    kinds = [Kind.CLAIMED, Kind.PREPARED, Kind.LAUNCHED, Kind.RUN_START]
    kinds += [chance.choice(list(BODIES)) for _ in range(chance.choice((0, 3, 20)))]
    pieces = [MAGIC if chance.random() < 0.95 else chance.choice((b"", b"HFJRNL\x00\x02", b"x"))]
    for number, kind in enumerate(kinds, start=1):
        text = text_of(BODIES[kind], chance, wild=wild) if wild else json.dumps(BODIES[kind])
        given = kind if chance.random() < 0.97 else chance.randrange(256)
        place = number if chance.random() < 0.98 else chance.randrange(2**20)
        body = text.encode("utf-8", "surrogatepass")
        pieces.append(
            encode(place, chance.choice((0, 1, 2**63, 1_795_424_525_513_089)), given, body)
        )
    if chance.random() < 0.1:
        pieces.append(struct.pack("<I", chance.choice((0, 2**24, 2**32 - 1))))
    return b"".join(pieces)


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    folders = RunFolders(folder / "journals", folder / "archive", Vault(folder))
    names = itertools.count()

    def target(data: bytes) -> int:
        path = folder / "journals" / f"r{next(names)}"
        path.mkdir()
        (path / "journal").write_bytes(data)
        try:
            return _look(path, folders)
        finally:
            shutil.rmtree(path, ignore_errors=True)

    yield target


def _look(path: Path, folders: RunFolders) -> int:
    """Everybody who reads journals. A journal that is none is told by one error, JournalError."""
    folders.look(path)
    folders.is_bare(path)
    problems(path)
    summary("open", path)
    try:
        count = _deliver(path)
        with JournalReader(path / "journal") as reader:
            document = postmortem.build(reader.read())
        postmortem.text(document)
        json.dumps(document)
        lost_runs.end_lost_run(path)
        with Journal.open(path / "journal") as journal:
            journal.append(Kind.NOTE, b"{}", essential=True)
            journal.flush()
    except JournalError:
        return 0
    return count


def _deliver(path: Path) -> int:
    """The events of all records, as they are sent."""
    outbox, count = Outbox(Position()), 0
    with JournalReader(path / "journal") as reader:
        for record in reader.read():
            outbox.feed(record, 0.0)
            count += 1
    while (shipment := outbox.next(0.0)) is not None:
        for item in shipment.items:
            try:
                raw = events.render("r", item.event, lambda _: "{}")
            except events.Unreadable as error:
                outbox.unreadable(item, error.part, str(error))
                continue
            text = encode_text(Message("1", "1", "run:r", item.event.name, raw))
            text.encode()
            json.loads(text, parse_constant=_none)
        outbox._landed(shipment)
        for item in shipment.items:
            item.accepted = True
        outbox._settle()
    with Mark(path / "mark") as mark:
        mark.move(outbox.position)
        mark.close_delivery(DeliveryState.COMPLETE)
    return count


def _none(constant: str) -> None:
    raise AssertionError(constant)
