"""What is known of one end, and what was found out about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from holdfast.diagnosis.catalogue import CATALOGUE
from holdfast.diagnosis.entry import Turn
from holdfast.model.json import Json, JsonObject

#: The id of a step on a platform.
_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
#: Characters of foreign words in an explanation.
_SAID = 400
#: What the rules look at, whatever a run has told: characters of a message, of a word, and of code
#: (its end); items of a list. Some rules take time that grows with the square of these.
_MESSAGE, _WORD, _CODE, _ITEMS = 2000, 200, 4000, 400


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a step or a run, as its records tell it.

    `facts` are those of the run process (`engine/javascript/facts.mjs`), `evidence` those of the
    shim, `refused` the connections that the egress policy did not allow, newest last, as
    `(target, rule)`, `pending` the requests that had no answer yet.
    """

    reason: str
    error_type: str = ""
    message: str = ""
    step: str | None = None
    position: JsonObject = field(default_factory=dict)
    facts: JsonObject = field(default_factory=dict)
    evidence: JsonObject = field(default_factory=dict)
    refused: tuple[tuple[str, str], ...] = ()
    pending: tuple[str, ...] = ()

    def bounded(self) -> Ending:
        """What of it the rules look at."""
        facts = {key: _bounded(value) for key, value in self.facts.items()}
        if isinstance(code := self.facts.get("code"), str):
            facts["code"] = code[-_CODE:]
        return replace(
            self,
            error_type=self.error_type[:_WORD],
            message=self.message[:_MESSAGE],
            step=self.step and self.step[:_WORD],
            facts=facts,
        )

    @property
    def said(self) -> str:
        """The message without its class, for use inside a sentence."""
        return shortened(self.message)

    @property
    def causes(self) -> list[JsonObject]:
        """The errors behind the failure, outermost first."""
        return objects(self.facts.get("causes"))

    @property
    def adaptors(self) -> list[JsonObject]:
        """The step's adaptors: name, version, exports, keys and required keys of the credential."""
        return objects(self.facts.get("adaptors"))

    @property
    def exports(self) -> list[str]:
        """All names that the step's adaptors export."""
        return [name for adaptor in self.adaptors for name in texts(adaptor.get("exports"))]

    @property
    def adaptor_names(self) -> str:
        """The step's adaptors in words."""
        return ", ".join(str(item.get("name")) for item in self.adaptors) or "none"

    @property
    def line(self) -> int | None:
        """The author's line, where it is known."""
        line = self.position.get("line")
        return line if isinstance(line, int) else None

    @property
    def where(self) -> str:
        """` in operation 2 ("get", line 4)`, or nothing."""
        operation = self.facts.get("operation")
        if operation is None:
            return place_words(self.evidence.get("place"))
        name, line = self.facts.get("name"), self.facts.get("line")
        inside = ", ".join(
            part for part in (f'"{name}"' if name else "", f"line {line}" if line else "") if part
        )
        return f" in operation {operation}" + (f" ({inside})" if inside else "")


@dataclass(frozen=True, slots=True)
class Found:
    """A cause: its code, what fills its templates, and whose turn it is where the entry differs."""

    code: str
    values: dict[str, str] = field(default_factory=dict)
    turn: Turn | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A cause in the author's words."""

    code: str
    title: str
    turn: Turn
    what: str
    change: str
    step: str | None = None
    position: JsonObject = field(default_factory=dict)
    state: str | None = None
    fingerprint: str | None = None

    @property
    def problem(self) -> str:
        """The same for failures of the same cause."""
        return self.fingerprint or self.code

    def named(self, names: Mapping[str, str]) -> Diagnosis:
        """With the names of steps where their ids stand; on a platform ids are UUIDs."""
        what, change = (_with_names(text, names) for text in (self.what, self.change))
        step = self.step and names.get(self.step, self.step)
        return replace(self, what=what, change=change, step=step)

    def to_json(self) -> JsonObject:
        """For the journal, the page and `--json`; without what is not known."""
        whole: JsonObject = {
            "code": self.code,
            "title": self.title,
            "turn": self.turn.value,
            "what": self.what,
            "change": self.change,
            "step": self.step,
            "position": self.position,
            "state": self.state,
            "fingerprint": self.fingerprint,
        }
        return {key: value for key, value in whole.items() if value not in (None, "", {})}


def _with_names(text: str, names: Mapping[str, str]) -> str:
    return _ID.sub(lambda found: names.get(found[0], found[0]), text)


def read_diagnosis(value: JsonObject) -> Diagnosis:
    """Read what `to_json` gave; a field of another type, as a foreign worker may send it, is left
    out."""
    position, turn = value.get("position"), value.get("turn")
    known = {key: item for key, item in value.items() if isinstance(item, str)}
    return Diagnosis(
        known.get("code", ""),
        known.get("title", ""),
        Turn(turn) if isinstance(turn, str) and turn in set(Turn) else Turn.AUTHOR,
        known.get("what", ""),
        known.get("change", ""),
        known.get("step"),
        position if isinstance(position, dict) else {},
        known.get("state"),
        known.get("fingerprint"),
    )


def made(
    found: Found, *, step: str | None = None, position: JsonObject | None = None
) -> Diagnosis:
    """The words of a cause."""
    entry = CATALOGUE[found.code]
    return Diagnosis(
        entry.code,
        entry.title,
        found.turn or entry.turn,
        entry.what.format_map(found.values),
        entry.change.format_map(found.values),
        step,
        position or {},
    )


def _bounded(value: Json) -> Json:
    """The first items and characters, in lists and in objects of them."""
    if isinstance(value, str):
        return value[:_MESSAGE]
    if isinstance(value, list):
        return [_bounded(item) for item in value[:_ITEMS]]
    if isinstance(value, dict):
        return {key[:_WORD]: _bounded(value[key]) for key in list(value)[:_ITEMS]}
    return value


def shortened(text: str, most: int = _SAID) -> str:
    """Foreign words on one line, without the full stop that ours brings."""
    line = " ".join(text.split()).removesuffix(".")
    return line if len(line) <= most else f"{line[: most - 1]}…"


def place_words(place: Json) -> str:
    """Where a run was, from its last phase: ` in step "x", operation 2`."""
    if not isinstance(place, dict):
        return ""
    step = place.get("name") or place.get("step")
    operation = place.get("operation")
    words = f' in step "{step}"' if step else ""
    return words + (f", operation {operation}" if operation else "")


def objects(value: Json) -> list[JsonObject]:
    """The objects in a list that may be anything."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts(value: Json) -> list[str]:
    """The texts in a list that may be anything."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
