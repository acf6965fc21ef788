"""Names and words in place of ids and notation, in texts that workers have written."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from holdfast.model.refusal import words_of
from holdfast.platform.store import credentials, keychains
from holdfast.platform.store.database import Connection

#: An id that stands alone: one after a dot is a key of the state, which people look for there.
_ID = re.compile(r"(?<![\w.\[\"'/-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w/-])")
_ANY_ID = re.compile(r"(['\"]?)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\1")
_REFUSAL = re.compile(r"\{\s*['\"]errors['\"]\s*:")
ENGLISH: Mapping[str, str] = {"webhook": "the webhook trigger", "cron": "the cron trigger"}
#: Characters of a refusal that are read.
_MOST = 4000


@dataclass(frozen=True, slots=True)
class Names:
    """What the ids of a workflow stand for."""

    by_id: Mapping[str, str] = field(default_factory=dict)

    def words(self, text: str) -> str:
        """The text with names, and refusals as words."""
        named = _ID.sub(lambda found: self._name(found[0]), text)
        return plain_refusals(named)

    def without_ids(self, text: str, gone: str) -> str:
        """The text with a name for each id, in quotes or not; what has none is `gone`."""
        return _ANY_ID.sub(lambda found: self.by_id.get(found[0].strip("'\""), gone), text)

    def _name(self, key: str) -> str:
        name = self.by_id.get(key)
        return key if name is None else f'"{name}"'


NO_NAMES = Names()


def read_names(
    connection: Connection, *versions: Mapping[str, Any], triggers: Mapping[str, str] = ENGLISH
) -> Names:
    """Of all parts, credentials and keychains in these versions of a workflow.

    `triggers`: the words for each type of one.
    """
    jobs = [job for parts in versions for job in parts["jobs"]]
    found: dict[str, str] = {}
    for member, names in (
        ("credential_id", credentials.names_of),
        ("keychain_credential_id", keychains.names_of),
    ):
        if used := {job[member] for job in jobs if job.get(member)}:
            found |= names(connection, used)
    return names_of(found, *versions, triggers=triggers)


def names_of(
    secrets: Mapping[str, str],
    *versions: Mapping[str, Any],
    triggers: Mapping[str, str] = ENGLISH,
) -> Names:
    """Of a workflow's parts; the last version's name counts.

    `secrets`: names of credentials and keychains by id.
    """
    found = dict(secrets)
    for parts in versions:
        for trigger in parts["triggers"]:
            found[trigger["id"]] = triggers.get(trigger["type"], trigger["type"])
        found |= {job["id"]: str(job["name"]) for job in parts["jobs"]}
        for edge in parts["edges"]:
            source = found.get(edge["source_trigger_id"] or edge["source_job_id"], "?")
            found[edge["id"]] = f"{source} → {found.get(edge['target_job_id'], '?')}"
    return Names(found)


def plain_refusals(text: str) -> str:
    """`{'errors': {'id': ['not found']}}`, in Python's notation or JSON, as `id: not found`."""
    pieces, at = [], 0
    while (found := _REFUSAL.search(text, at)) is not None:
        end = _end(text, found.start())
        words = None if end is None else _words(text[found.start() : end])
        if end is None or words is None:
            pieces.append(text[at : found.end()])
            at = found.end()
        else:
            pieces += [text[at : found.start()], words]
            at = end
    return "".join([*pieces, text[at:]])


def _words(notation: str) -> str | None:
    for read in (json.loads, ast.literal_eval):
        try:
            return words_of(read(notation))
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return None


def _end(text: str, start: int) -> int | None:
    """Behind the brace that closes the one at `start`; braces within quotes do not count."""
    depth, quote, escaped = 0, "", False
    for at in range(start, min(len(text), start + _MOST)):
        letter = text[at]
        if escaped:
            escaped = False
        elif quote:
            escaped = letter == "\\"
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "{}":
            depth += 1 if letter == "{" else -1
            if depth == 0:
                return at + 1
    return None
