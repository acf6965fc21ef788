"""What a retry does again, for a person who is about to ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from holdfast.cli import terminal
from holdfast.cli.journal import find
from holdfast.engine.requests import FAILED, NEVER, Request, Requests, requests_of
from holdfast.journal import JournalError, JournalReader
from holdfast.model.errors import UsageError

#: Methods of requests that change nothing in the other system.
_READS = {"GET", "HEAD", "OPTIONS"}


def seen_here(data: Path, run_id: str) -> Requests | None:
    """All requests of the run from the journal of a worker on this machine, if it has it."""
    try:
        folder = find(data, run_id)
        with JournalReader(folder.journal) as reader:
            return requests_of(reader.read())
    except (UsageError, JournalError):
        return None  # the worker is elsewhere


def tell_repeats(again: dict[str, Any], here: Requests | None) -> None:
    """Say it on standard error. `again`: the platform's answer; `here`: of the journal, if any."""
    names = {job["id"]: str(job["name"]) for job in again["jobs"]}
    terminal.echo(f"does again: {', '.join(names.values()) or 'nothing that ran'}", err=True)
    known, left_out, cut = None, 0, False
    if here is not None:
        known, cut = list(here.known.values()), here.cut
        left_out = here.beyond.made
    if known is None and again["requests"] is not None:
        known = [Request.from_json(item) for item in again["requests"]]
        left_out, cut = again["left_out"], again.get("may_be_missing") is True
    if known is None:
        words = "its requests are known on its worker's machine only: `holdfast requests`"
        terminal.echo(f"  {words}", err=True, dim=True)
        return
    seen = [request for request in known if request.job in names and request.fate != NEVER]
    for request in seen:
        request.job_name = names[str(request.job)]
        terminal.row(f"  {request.row}", err=True, fg="yellow" if _changes(request) else None)
    changed = sum(map(_changes, seen))
    words = f"{len(seen)} requests were seen, {changed} of them may have changed something"
    terminal.echo(f"  {words if seen else 'no requests were seen'}", err=True)
    if keys := sum(_changes(request) and request.key is not None for request in seen):
        words = f"{keys} of these carried an idempotency key"
        terminal.echo(f"  {words}: whether one is carried out twice is for its receiver", err=True)
    if cut:
        terminal.echo("  requests of its last moment may be missing", err=True)
    if left_out:
        terminal.echo(f"  {left_out} further requests of the run are not shown", err=True)


def _changes(request: Request) -> bool:
    """Whether it may have changed something: one that failed may have been carried out."""
    sent = request.fate != FAILED or request.address is not None
    return sent and request.method not in _READS
