"""Rows of runs as they end up in the tables, made from a seed."""

from __future__ import annotations

import functools
import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from sqlalchemy import Table

from holdfast.platform.clock import SECOND
from holdfast.platform.store import tables as t
from holdfast.platform.store.search import Part
from support.history_search import Found, parts_of

#: The history begins on 1 January 2026 and lasts so many days.
START, DAYS = 1_767_225_600 * SECOND, 90
#: Outcomes: state, kind of error, and how many of a thousand.
OUTCOMES = (
    ("success", None, 900),
    ("failed", "RuntimeError", 40),
    ("failed", "AdaptorError", 30),
    ("killed", "TimeoutError", 8),
    ("killed", "OOMError", 6),
    ("crashed", "ReferenceError", 6),
    ("exception", "ImportError", 4),
    ("cancelled", "Cancelled", 4),
    ("lost", "LostAfterStart", 2),
)
_OFTEN = list(accumulate(outcome[2] for outcome in OUTCOMES))
WORKERS = tuple(f"worker-{letter}" for letter in "abcdef")
_WORDS = ("patient", "referral", "visit", "stock", "district", "sample", "invoice", "village")
_PLACES = ("Kisumu", "Gulu", "Tamale", "Nampula", "Bo", "Mwanza", "Garissa", "Zomba")
_DONE = ("fetched", "mapped", "sent", "skipped", "merged", "checked")


@dataclass(frozen=True, slots=True)
class Flow:
    """A deployed workflow."""

    project: str
    workflow: str
    snapshot: str
    trigger: str
    jobs: tuple[str, ...]


class Rows:
    """Makes the rows of one run after another."""

    def __init__(
        self, dice: random.Random, flows: list[Flow], lines: int, *, searchable: bool
    ) -> None:
        self._dice, self._flows, self._lines = dice, flows, lines
        self._weights = list(accumulate(1 / (n + 1) for n in range(len(flows))))
        self._number = self._parts = 0
        self._searchable = searchable

    def run(self, found: Found, at: int, lines: int | None) -> None:
        """Append a run's rows, one table's rows as tuples in the order of its columns."""
        dice = self._dice
        self._number += 1
        (flow,) = dice.choices(self._flows, cum_weights=self._weights)
        ((state, error, _),) = dice.choices(OUTCOMES, cum_weights=_OFTEN)
        run_id, order, first, last = (uuid_of(dice) for _ in range(4))
        started = at + dice.randrange(20_000, 3_000_000)
        took = int(dice.lognormvariate(0.0, 1.2) * SECOND)
        ended = started + took
        memory = int(dice.lognormvariate(3.0, 0.8) * 1_000_000)
        worker = dice.choice(WORKERS)
        self._clip(found, first, flow.project, "http_request", at)
        self._clip(found, last, flow.project, "step_result", ended)
        message = f"{error}: {dice.choice(_WORDS)} was refused" if error else None
        values = {
            "id": run_id, "work_order_id": order, "project_id": flow.project,
            "workflow_id": flow.workflow, "snapshot_id": flow.snapshot, "dataclip_id": first,
            "starting_trigger_id": flow.trigger, "state": state, "error_type": error,
            "error_message": message, "priority": 1, "queue": "default",
            "options": '{"output_dataclips": true, "run_timeout_ms": 300000}',
            "inserted_at": at, "claimed_at": started - 10_000, "started_at": started,
            "finished_at": ended, "duration_ms": took // 1000, "peak_memory": memory,
            "worker_id": worker, "worker_name": worker, "returns": 0, "retries": 0,
            "last_event": "run:complete", "last_event_at": ended, "final_dataclip_id": last,
            "indexed_at": ended + 5 * SECOND if self._searchable else None,
        }  # fmt: skip
        found["runs"].append(row_of(t.runs, values))
        values = {
            "id": order, "project_id": flow.project, "workflow_id": flow.workflow,
            "snapshot_id": flow.snapshot, "trigger_id": flow.trigger, "dataclip_id": first,
            "state": state, "last_activity": ended, "inserted_at": at,
        }  # fmt: skip
        found["work_orders"].append(row_of(t.work_orders, values))
        steps = self._steps(found, run_id, flow, (started, took), (state, error, message), memory)
        self._log(found, run_id, steps, started, took, self._lines if lines is None else lines)

    def _clip(self, found: Found, key: str, project: str, kind: str, at: int) -> None:
        dice = self._dice
        name, place = dice.choice(_WORDS), dice.choice(_PLACES)
        codes = ", ".join(str(dice.getrandbits(14)) for _ in range(8))
        body = (
            f'{{"data": {{"{name}": {{"id": "P-{self._number}", "place": "{place}",'
            f' "codes": [{codes}]}}}}}}'
        )
        digest = hashlib.sha256(body.encode()).hexdigest()
        values = {"id": key, "project_id": project, "type": kind, "size": len(body),
                  "digest": digest, "inserted_at": at}  # fmt: skip
        found["dataclips"].append(row_of(t.dataclips, values))
        values = {"dataclip_id": key, "body": body}
        found["dataclip_bodies"].append(row_of(t.dataclip_bodies, values))

    def _steps(
        self,
        found: Found,
        run_id: str,
        flow: Flow,
        time: tuple[int, int],
        end: tuple[str, str | None, str | None],
        memory: int,
    ) -> list[str]:
        (started, took), (state, error, message) = time, end
        ids, each = [uuid_of(self._dice) for _ in flow.jobs], took // len(flow.jobs)
        for place, (key, job) in enumerate(zip(ids, flow.jobs, strict=True)):
            last = place == len(ids) - 1
            values = {
                "id": key, "job_id": job, "snapshot_id": flow.snapshot,
                "started_at": started + place * each, "finished_at": started + (place + 1) * each,
                "exit_reason": state if last else "success",
                "error_type": error if last else None,
                "error_message": message if last else None, "duration_ms": each // 1000,
                "mem": f'{{"job": {memory - place}, "system": {memory + 50_000_000}}}',
                "repaired": False,
            }  # fmt: skip
            found["steps"].append(row_of(t.steps, values))
            found["run_steps"].append((run_id, key))
        return ids

    def _log(
        self,
        found: Found,
        run_id: str,
        steps: list[str],
        started: int,
        took: int,
        lines: int,
    ) -> None:
        dice, number, many = self._dice, self._number, len(steps)
        for n in range(1, lines + 1):
            draw = dice.getrandbits(30)
            text = (
                f"{_DONE[draw % 6]} {_WORDS[(draw >> 4) % 8]} P-{number}-{n}"
                f" of {_PLACES[(draw >> 8) % 8]}: {draw >> 12} records"
            )
            level = "info" if draw % 50 else "error"
            step = steps[(n - 1) * many // lines]
            moment = started + took * n // (lines + 1)
            found["log_lines"].append((None, run_id, n, None, step, moment, level, "JOB", text))

    def parts(self, found: Found) -> list[tuple[int, Part]]:
        """What a search finds of these runs, each part with its number."""
        numbered = list(enumerate(parts_of(found) if self._searchable else (), self._parts + 1))
        self._parts += len(numbered)
        return numbered

    def items(self, collection: str, count: int, size: int) -> Iterator[tuple[Any, ...]]:
        """Items of a collection; each value has `size` bytes."""
        for n in range(count):
            key = f"key-{n}"
            text = f'{{"n":{n},"name":"{_WORDS[n % 8]}","more":"'
            value = f'{text}{"x" * (size - len(text) - 2)}"}}'
            yield None, collection, size + len(key), START + n, START + n, key, value


def uuid_of(dice: random.Random) -> str:
    """A UUID as text."""
    h = f"{dice.getrandbits(128):032x}"
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def row_of(table: Table, values: dict[str, Any]) -> tuple[Any, ...]:
    """The values in the order of the table's columns; the rest is empty."""
    return tuple(map(values.get, _names(table)))


@functools.cache
def _names(table: Table) -> tuple[str, ...]:
    return tuple(table.c.keys())
