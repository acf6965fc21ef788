"""Where a run was computing when its time was up: one sample of its stack, told by Node.js.

On SIGINT Node.js writes the stack of whatever its main thread executes to standard error, also
amid a loop without end (`util.setTraceSigInt`). Then it raises the signal again, which ends it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from holdfast.engine.loop import Loop
from holdfast.engine.shim.processes import Process
from holdfast.model.json import JsonObject

#: Looks at what the process has said, and between two of them: seconds.
_LOOKS, _LOOK_SECONDS = 100, 0.01
#: The line before the stack.
MARK = "KEYBOARD_INTERRUPT: Script execution was interrupted by `SIGINT`"
#: A frame in the step's module, whose lines are those of its author.
_FRAME = re.compile(r"^ +at (?:.* \()?vm:module\(0\):([0-9]{1,9}):[0-9]+\)?$", re.MULTILINE)
#: Characters of the line that are shown.
_SHOWN = 500


class Sample:
    """Asks a process for its stack, and ends its run when it has told it, or takes too long."""

    def __init__(self, loop: Loop, kill: Callable[[], None]) -> None:
        self._loop, self._kill = loop, kill

    def take(self, process: Process) -> None:
        """Begin; the loop does the rest."""
        process.interrupt()
        self._look(process, _LOOKS)

    def drop(self) -> None:
        """Wait for it no longer."""
        self._loop.at("stack", None)

    def _look(self, process: Process, looks: int) -> None:
        told = line_in(process.error.text()) is not None
        then = self._kill if told or not looks else lambda: self._look(process, looks - 1)
        self._loop.after("stack", _LOOK_SECONDS, then)


def line_in(said: str) -> int | None:
    """The author's line in the stack that stands in this text, from 1."""
    _, mark, stack = said.rpartition(MARK)
    found = _FRAME.search(stack) if mark else None
    return int(found[1]) if found else None


def without_stack(said: str) -> str:
    """What was written before the stack."""
    before, mark, _ = said.rpartition(MARK)
    return before if mark else said


def hot_line(said: str, plan: Path, step: str | None, clean: Callable[[str], str]) -> JsonObject:
    """Line, column and text of the line that was running; empty where the stack has none.

    `clean` takes secrets out of a text. OSError, ValueError when the plan cannot be read.
    """
    number = line_in(said)
    if number is None:
        return {}
    text = _line(plan, step, number)
    if text is None:
        return {"line": number}
    column = len(text) - len(text.lstrip()) + 1
    return {"line": number, "column": column, "src": clean(text[:_SHOWN])}


def _line(plan: Path, step: str | None, number: int) -> str | None:
    """The line in the code of the step, where the plan has it as the author wrote it."""
    document = json.loads(plan.read_bytes())
    steps = document.get("workflow", document).get("steps", [])
    for place, one in enumerate(steps, 1):
        if step in (one.get("id"), f"job-{place}") and isinstance(one.get("expression"), str):
            lines = one["expression"].split("\n")
            return str(lines[number - 1]) if 0 < number <= len(lines) else None
    return None
