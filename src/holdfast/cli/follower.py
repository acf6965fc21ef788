"""Follows a run that goes on here: shows its log lines, keeps its end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from holdfast.cli import runlog, terminal
from holdfast.diagnosis.diagnose import rows
from holdfast.diagnosis.ending import Diagnosis, read_diagnosis
from holdfast.engine.client import RunHandle
from holdfast.journal.blobs import blob_path
from holdfast.journal.folder import RunFolder
from holdfast.journal.reader import JournalReader
from holdfast.journal.record import Record
from holdfast.model.json import JsonObject, nests_deeper
from holdfast.model.outcome import Outcome, Reason
from holdfast.model.record import Kind


@dataclass
class Follower:
    """What the run's journal has told so far."""

    folder: RunFolder
    log_filter: str
    as_json: bool
    result: JsonObject | None = None
    outcome: Outcome | None = None
    diagnosis: Diagnosis | None = None
    final_state: str | None = None

    def see_all(self, records: Iterable[Record]) -> None:
        """Take in records; log lines go to standard error as they come."""
        for record in records:
            self._see(record)

    def _see(self, record: Record) -> None:
        if self.as_json:
            head = {"sequence": record.sequence, "kind": Kind(record.kind).name.lower()}
            terminal.echo(json.dumps({**head, **record.json()}), err=True)
        elif record.kind == Kind.LOG:
            line = record.json()
            if runlog.shown(line, self.log_filter) and not runlog.is_verdict(line):
                runlog.show(line)
        if record.kind == Kind.RESULT:
            self.result = record.json()
        elif record.kind == Kind.OUTCOME:
            self.outcome = Outcome.from_json(record.json())
            if isinstance(found := record.json().get("diagnosis"), dict):
                self.diagnosis = read_diagnosis(found)

    def _keep_final_state(self) -> None:
        """Read the final state's JSON text before its folder goes."""
        document = (self.result or {}).get("final_state")
        if not isinstance(document, dict):
            return
        if "blob" in document:
            blob = blob_path(self.folder.path, str(document["blob"]))
            self.final_state = blob.read_text(encoding="utf-8")
        elif "inline" in document:
            self.final_state = str(document["inline"])

    async def follow(self, handle: RunHandle) -> Outcome:
        """See everything until the run has ended; its outcome."""
        with JournalReader(self.folder.journal) as reader:
            async for sequence in handle.progress():
                self.see_all(reader.read(sequence))
            await handle.outcome()
            self.see_all(reader.read())
        self._keep_final_state()
        assert self.outcome is not None, "a journal ends with an outcome"
        return self.outcome

    def tell_end(self) -> None:
        """Say on standard error why it did not succeed; nothing where it did."""
        outcome = self.outcome
        assert outcome is not None, "it has been followed to its end"
        if outcome.reason is Reason.SUCCESS:
            return
        words = f"{outcome.reason.value}: {outcome.error_type}: {outcome.error_message}"
        terminal.echo(words, err=True, fg="red")
        if self.diagnosis is not None and not self.as_json:
            terminal.echo("", err=True)
            for row in rows(self.diagnosis):
                terminal.echo(row, err=True)
            terminal.echo(f"more: holdfast explain {self.diagnosis.code}", err=True)


def pretty(document: str) -> str:
    """The state for people; as it came where it is nested deeper than we read."""
    if nests_deeper(document):
        return document
    text = json.dumps(json.loads(document), indent=2, ensure_ascii=False)
    # half a surrogate pair is text to JavaScript and to JSON, but not to UTF-8
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)
