"""The journal alone: records a second, the wait that a sync adds, recovery after a power cut."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.bars import against
from holdfast.journal import Journal, JournalReader, RunFolder
from holdfast.model.record import Kind
from holdfast.worker.run_folders import RunFolders
from holdfast.worker.vault import Vault

LINE = (
    b'{"source":"JOB","level":"info","message":["fetched patient",17],'
    b'"timestamp":"1795424525552841","step_id":"9d1e0f52-1111-4c4c-8a8a-000000000001"}'
)
RECORDS = 400_000
GROUP = 500
JOURNALS = 1000
JOURNAL_BYTES = 1024 * 1024


def appending(folder: Path) -> None:
    """Small records, synced in groups."""
    with Journal.create(folder / "append") as journal:
        started = time.perf_counter()
        for _ in range(RECORDS // GROUP):
            for _ in range(GROUP):
                journal.append(Kind.LOG, LINE)
            journal.flush()
        seconds = time.perf_counter() - started
    rate, size = RECORDS / seconds, journal.size / 1e6
    text = f"small records appended, sync every {GROUP} ({size / seconds:.0f} MB/s)"
    against(text, rate, 100_000, unit="records/s", least=True)


def syncing(folder: Path) -> None:
    """One record and its sync: what durability adds to an event."""
    samples = []
    with Journal.create(folder / "sync") as journal:
        for _ in range(500):
            journal.append(Kind.STEP_START, LINE)
            started = time.perf_counter()
            journal.flush()
            samples.append(time.perf_counter() - started)
    samples.sort()
    middle, late = statistics.median(samples) * 1000, samples[int(len(samples) * 0.99)] * 1000
    against(f"one record and its sync (p99 {late:.2f} ms), median", middle, 2, unit="ms")


def reading(folder: Path) -> None:
    """Reading what was appended, every checksum looked at."""
    started = time.perf_counter()
    with JournalReader(folder / "append") as reader:
        count = sum(1 for _ in reader.read())
    seconds = time.perf_counter() - started
    print(f"read: {count / seconds:,.0f} records/s (no bar)")


def recovering(folder: Path) -> None:
    """Adopting 1,000 open journals of 1 MB with torn tails."""
    book = RunFolders(folder / "journals", folder / "archive", Vault(folder))
    sample = folder / "sample"
    with Journal.create(sample) as journal:
        journal.append(Kind.CLAIMED, json.dumps({"run_id": "r", "token": ""}).encode())
        journal.append(Kind.PREPARED, b"{}")
        journal.append(Kind.LAUNCHED, b"{}")
        while journal.size < JOURNAL_BYTES:
            journal.append(Kind.LOG, LINE)
        journal.flush()
    torn = sample.read_bytes() + b"torn"
    for number in range(JOURNALS):
        made = RunFolder(book.journals / f"r{number}")
        made.path.mkdir()
        made.journal.write_bytes(torn)
    os.sync()
    started, used = time.perf_counter(), time.process_time()
    count = sum(1 for _ in book.found())
    seconds, used = time.perf_counter() - started, time.process_time() - used
    text = f"{count} open journals of 1 MB adopted ({used:.2f} s of processor time)"
    against(text, seconds, 5, unit="s")


def main() -> None:
    """All of them, on the disk of the temporary folder."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name:
        folder = Path(name)
        for measure in (appending, syncing, reading, recovering):
            measure(folder)
