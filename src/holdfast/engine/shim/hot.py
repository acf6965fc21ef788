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
from holdfast.engine.shim.author_lines import AuthorLines
from holdfast.engine.shim.processes import Process
from holdfast.model.json import JsonObject

#: Looks at what the process has said, and between two of them: seconds.
_LOOKS, _LOOK_SECONDS = 100, 0.01
#: The line before the stack.
MARK = "KEYBOARD_INTERRUPT: Script execution was interrupted by `SIGINT`"
#: A frame in the step's module, as it was compiled.
_FRAME = re.compile(r"^ +at (?:.* \()?vm:module\(0\):([0-9]{1,9}):([0-9]{1,9})\)?$", re.MULTILINE)
#: Characters of the line that are shown.
_SHOWN = 500


class Sample:
    """Asks a process for its stack, and ends its run when it has told it, or takes too long."""

    def __init__(self, loop: Loop, kill: Callable[[], None]) -> None:
        self._loop, self._kill = loop, kill
        self.lines = AuthorLines()

    def take(self, process: Process) -> None:
        """Begin; the loop does the rest."""
        process.interrupt()
        self._look(process, _LOOKS)

    def drop(self) -> None:
        """Wait for it no longer."""
        self._loop.at("stack", None)

    def _look(self, process: Process, looks: int) -> None:
        told = place_in(process.error.text()) is not None
        then = self._kill if told or not looks else lambda: self._look(process, looks - 1)
        self._loop.after("stack", _LOOK_SECONDS, then)


def place_in(said: str) -> tuple[int, int] | None:
    """Line and column of the compiled step in the stack that stands in this text, from 1."""
    _, mark, stack = said.rpartition(MARK)
    found = _FRAME.search(stack) if mark else None
    return (int(found[1]), int(found[2])) if found else None


def without_stack(said: str) -> str:
    """What was written before the stack."""
    before, mark, _ = said.rpartition(MARK)
    return before if mark else said


def hot_line(
    said: str, plan: Path, step: str | None, clean: Callable[[str], str], lines: AuthorLines
) -> JsonObject:
    """Line, column and text of the author's line that was running; empty where nobody can tell.

    `clean` takes secrets out of a text. OSError, ValueError when the plan cannot be read.
    """
    place = place_in(said)
    if place is None:
        return {}
    document = json.loads(plan.read_bytes())
    steps = document.get("workflow", document).get("steps", [])
    for index, one in enumerate(steps):
        if step in (one.get("id"), f"job-{index + 1}"):
            number = None if "sourceMap" in one else lines.of(index, *place)
            return _shown(one.get("expression"), number, clean) if number else {}
    return {}


def _shown(code: object, number: int, clean: Callable[[str], str]) -> JsonObject:
    rows = code.split("\n") if isinstance(code, str) else []
    if not 0 < number <= len(rows):
        return {}
    row = rows[number - 1]
    return {
        "line": number,
        "column": len(row) - len(row.lstrip()) + 1,
        "src": clean(row)[:_SHOWN],
    }
