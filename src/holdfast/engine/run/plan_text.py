"""Reading a plan whose expressions may be tens of megabytes, at the cost of the text alone.

A plan comes in chunks of JSON. Strings of more than `LONG` characters are taken out while it
comes and kept as `holdfast.compiler.Source` texts; the rest, which is small, is parsed as usual.
Standard library only, but for that.
"""

from __future__ import annotations

import codecs
import io
import os
import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed hides it
from typing import Any, TypeAlias

from holdfast.compiler.source import Source, utf8
from holdfast.model.errors import HoldfastError
from holdfast.model.json import Json, JsonObject, parse_document
from holdfast.model.patterns import loop

LONG = 64 * 1024
#: Nothing that JSON escapes is longer than this: a pair of surrogates.
_ESCAPE = 12
_OUTSIDE = re.compile(r'[^"]*+')
_TOKENS = re.compile(
    loop(
        r'[^"\\]++',
        r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}",
        r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])(?=[\s\S]{6})",
        r"\\u(?![dD][89abAB])[0-9a-fA-F]{4}",
        r"\\[^u]",
    )
)
#: A text that was taken out, or any other value.
Value: TypeAlias = "Source | Json"


class PlanError(HoldfastError):
    """The plan is not JSON, or not a plan."""


class PlanReader:
    """Takes the chunks of a plan; `finish` gives the plan with its expressions taken out."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = io.StringIO()
        self._mark = f"long:{os.urandom(8).hex()}:"
        self._texts: list[Source | None] = []
        self._pending = ""
        self._inside = False
        self._long: str | None = None

    def feed(self, chunk: bytes) -> None:
        """The next part of the text. Raises PlanError for a broken string."""
        self._advance(self._decode.decode(chunk), last=False)

    def finish(self) -> tuple[JsonObject, dict[int, Source]]:
        """The plan without expressions, and the expressions by the number of their step.

        Raises PlanError.
        """
        self._advance(self._decode.decode(b"", final=True), last=True)
        if self._inside:
            self._refuse("it ends within a string")
        try:
            plan: Any = parse_document(self._rest.getvalue())
        except ValueError as error:
            self._refuse(str(error))
        self._rest.close()
        if not isinstance(plan, dict):
            self._refuse("it is no object")
        expressions = self._take_expressions(plan)
        if any(text is not None for text in self._texts):
            plan = self._restored(plan)
        return plan, expressions

    def _refuse(self, reason: str) -> None:
        message = f"the plan cannot be read: {reason}"
        raise PlanError(message)

    def _advance(self, text: str, *, last: bool) -> None:
        text = self._pending + text
        self._pending = ""
        at = 0
        while at < len(text):
            if not self._inside:
                match = _OUTSIDE.match(text, at)
                end = match.end() if match else at
                self._rest.write(text[at:end])
                self._inside = end < len(text)
                at = end + 1
                continue
            try:
                value, end = scanstring(text, at, False)
            except ValueError:
                self._keep(text[at:], last=last)
                return
            self._close(value, text[at : end - 1])
            at = end

    def _close(self, value: str, raw: str) -> None:
        self._inside = False
        if self._long is None and len(value) <= LONG:
            self._rest.write(f'"{raw}"')
            return
        self._add(value)
        assert self._long is not None
        self._rest.write(f'"{self._mark}{len(self._texts)}"')
        self._texts.append(Source(self._long))
        self._long = None

    def _keep(self, text: str, *, last: bool) -> None:
        """The string goes on in the next chunk: keep what is complete, remember the rest."""
        cut = _safe_cut(text)
        if self._long is None and len(text) <= LONG:
            cut = 0
        if last:
            self._refuse("a string in it is broken or does not end")
        if cut:
            try:
                self._add(scanstring(f'{text[:cut]}"', 0, False)[0])
            except ValueError as error:
                self._refuse(str(error))
        elif len(text) > LONG:
            self._refuse("a string in it is broken")
        self._pending = text[cut:]

    def _add(self, value: str) -> None:
        # A string with one owner grows where it is: the text is never held twice.
        whole, self._long = self._long or "", None
        whole += value if value.isascii() else utf8(value).decode("latin-1")
        self._long = whole

    def _take_expressions(self, plan: JsonObject) -> dict[int, Source]:
        workflow = plan.get("workflow")
        steps = workflow.get("steps") if isinstance(workflow, dict) else None
        expressions: dict[int, Source] = {}
        for index, step in enumerate(steps if isinstance(steps, list) else []):
            if not isinstance(step, dict) or not isinstance(step.get("expression"), str):
                continue
            value = str(step.pop("expression"))
            number = self._number(value)
            text = Source.of(value) if number is None else self._texts[number]
            if number is not None:
                self._texts[number] = None  # it has one owner
            if text:
                expressions[index] = text
        return expressions

    def _number(self, value: str) -> int | None:
        if not value.startswith(self._mark):
            return None
        return int(value[len(self._mark) :])

    def _restored(self, value: Json) -> Json:
        """The value with long strings that are no expressions put back."""
        if isinstance(value, str):
            number = self._number(value)
            if number is None:
                return value
            source = self._texts[number]
            return "" if source is None else source.string(0, len(source))
        if isinstance(value, list):
            return [self._restored(item) for item in value]
        if isinstance(value, dict):
            return {key: self._restored(item) for key, item in value.items()}
        return value


def _safe_cut(text: str) -> int:
    """A place near the end where no escape is cut apart; 0 when there is none."""
    for cut in range(len(text), max(_ESCAPE, len(text) - 64), -1):
        if "\\" not in text[cut - _ESCAPE : cut]:
            return cut
    match = _TOKENS.match(text)
    return match.end() if match else 0
