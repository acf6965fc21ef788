"""What a process and all below it have used so far."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and all below it that exist now."""
    found = [pid]
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            text = file.read_text()
        except OSError:
            continue
        for word in text.split():
            found += family(int(word))
    return found


def own_seconds(pid: int) -> float:
    """Processor time of one process, without its children."""
    return _seconds(pid, 11, 12)


def processor_seconds(pid: int) -> float:
    """Processor time of a process and all below it, those that have ended included."""
    return sum(_seconds(one, 11, 12, 13, 14) for one in family(pid))


def private_mb(pid: int) -> float:
    """Memory that a process and all below it share with nobody, MiB."""
    return sum(_rollup(one, "Private_") for one in family(pid))


def proportional_mb(pid: int) -> float:
    """Proportional set size of a process and all below it, MiB."""
    return sum(_rollup(one, "Pss:") for one in family(pid))


def _seconds(pid: int, *fields: int) -> float:
    """The sum of fields of `stat`, counted behind the name; 0 of a process that is gone."""
    try:
        values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(values[field]) for field in fields) / _TICKS


def _rollup(pid: int, name: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024
