"""Whether a run did what its test case expects. Pure but for large outputs, which are files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.cli.casefile import Case
from holdfast.cli.runlog import render
from holdfast.diagnosis.diagnose import rows
from holdfast.diagnosis.ending import read_diagnosis
from holdfast.journal.blobs import blob_path
from holdfast.journal.record import Record
from holdfast.model.json import Json, JsonObject
from holdfast.model.record import Kind

#: Characters of a value in a message.
_SHOWN = 200


@dataclass
class Seen:
    """What the journal of one run tells."""

    folder: Path
    path: list[str] = field(default_factory=list)
    edges: set[tuple[str, str]] = field(default_factory=set)
    outputs: JsonObject = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    outcome: JsonObject = field(default_factory=dict)

    def take(self, records: Iterable[Record]) -> None:
        """Read the records of a run that has ended."""
        for record in records:
            if record.kind == Kind.LOG:
                self.log.append(render(record.json()))
            elif record.kind == Kind.STEP_COMPLETE:
                self._step(record.json())
            elif record.kind == Kind.OUTCOME:
                self.outcome = record.json()

    def _step(self, body: JsonObject) -> None:
        step = str(body["job_id"])
        self.path.append(step)
        following = body.get("next")
        self.edges |= (
            {(step, str(to)) for to in following} if isinstance(following, list) else set()
        )
        document = body.get("output")
        if not isinstance(document, dict):
            return
        if "inline" in document:
            self.outputs[step] = json.loads(str(document["inline"]))
        elif "blob" in document:
            text = blob_path(self.folder, str(document["blob"])).read_text(encoding="utf-8")
            self.outputs[step] = json.loads(text)


def judged(case: Case, seen: Seen, unknown: list[str], missing: list[str]) -> list[str]:
    """What is not as the case expects; empty when all is."""
    found = _ending(case, seen)
    if case.path is not None and seen.path != case.path:
        found.append(
            f"path: {' > '.join(case.path)} was expected, it was {' > '.join(seen.path) or 'none'}"
        )
    for step, wanted in case.expect.items():
        if step not in seen.outputs:
            found.append(f"{step}: it left no output")
        else:
            found += differences(wanted, seen.outputs[step], step)
    found += [f"request that the case does not tell of: {item}" for item in unknown]
    found += [f"request that never came: {item}" for item in missing]
    log = "\n".join(seen.log)
    found += [f"log: {text} is not in it" for text in case.logs if text not in log]
    return found


def _ending(case: Case, seen: Seen) -> list[str]:
    outcome = seen.outcome
    diagnosis = outcome.get("diagnosis")
    told = read_diagnosis(diagnosis) if isinstance(diagnosis, dict) else None
    words = (
        f"{outcome.get('error_type')} {outcome.get('error_message')} {told.code if told else ''}"
    )
    if case.fails is None:
        if outcome.get("reason") == "success":
            return []
        return [*rows(told)] if told else [f"it failed: {words}"]
    if outcome.get("reason") == "success":
        return [f"it should fail ({case.fails}), and succeeded"]
    return (
        []
        if case.fails in words
        else [f"it should fail with {case.fails}, and failed with {words}"]
    )


def differences(wanted: Json, found: Json, place: str) -> list[str]:
    """Where a value is not what is wanted: the wanted keys of an object, every item of a list."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [
            line
            for key, item in wanted.items()
            for line in (
                differences(item, found[key], f"{place}.{key}")
                if key in found
                else [f"{place}.{key}: {_shown(item)} was expected, it is not there"]
            )
        ]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return [
            line for at, (one, two) in pairs for line in differences(one, two, f"{place}[{at}]")
        ]
    if type(wanted) is type(found) and wanted == found:
        return []
    if {type(wanted), type(found)} == {int, float} and wanted == found:
        return []
    return [f"{place}: {_shown(wanted)} was expected, it is {_shown(found)}"]


def _shown(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
