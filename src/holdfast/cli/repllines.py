"""What a person types at the prompt of `holdfast repl`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from holdfast.model.json import Json, JsonObject

#: The key of a state under which a value that is looked at comes back.
LOOKED = "__looked_at"
#: `state`, or something of it; an arrow makes it a function, `=` an assignment.
_OF_STATE = re.compile(r"(?:state|\$)\b(?!\s*=)|\$\.")
_UNFINISHED, _OPEN_CALL = "Unexpected end of input", "missing ) after argument list"
#: States that `.undo` can go back to.
_UNDONE = 100

HELP = """\
get('/patients')        an operation: it runs on the state, and its result is the next state
state.data.length       a value of the state, or = and any expression: shown, nothing changes
.state [PATH]           show the state, or what is at a path such as data.items[0]
.undo                   back to the state before
.save FILE              write the state as JSON
.code                   the operations so far, as a job
.exit                   end; so does the end of the input"""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to do: `what` is `job`, `look`, `nothing`, or the name after the dot."""

    what: str
    text: str = ""


def read(text: str) -> Line:
    """Understand what was typed so far."""
    typed = text.strip()
    if not typed:
        return Line("nothing")
    if re.match(r"\.\w", typed):
        name, _, rest = typed[1:].partition(" ")
        return Line(name, rest.strip())
    if typed.startswith("=") or _OF_STATE.match(typed):
        return Line("look", typed.removeprefix("=").strip().rstrip(";"))
    return Line("job", typed)


def judged(line: Line) -> str:
    """The text by which V8 tells whether more has to come."""
    return f"const value = (\n{line.text}\n)" if line.what == "look" else line.text


def is_unfinished(line: Line, message: str, at: int) -> bool:
    """Whether V8's word on `judged`, and its line, mean that the text goes on in the next line."""
    if line.what == "look":  # what closes it stands there already, in the last line
        last = line.text.count("\n") + 3
        return at == last and message in ("Unexpected token ')'", _OPEN_CALL)
    is_open = line.text.count("(") > line.text.count(")")
    return message == _UNFINISHED or (message == _OPEN_CALL and is_open)


def code_of(line: Line) -> str:
    """The job that does it."""
    if line.what == "look":
        return f"fn(async state => ({{ ...state, {LOOKED}: await (\n{line.text}\n) }}));"
    return line.text


@dataclass(slots=True)
class Session:
    """The state, those before it, and the operations that led here."""

    state: JsonObject
    _before: list[tuple[JsonObject, int]] = field(default_factory=list)
    _code: list[str] = field(default_factory=list)

    def take(self, code: str, state: JsonObject) -> None:
        """An operation has run."""
        self._before = [*self._before[1 - _UNDONE :], (self.state, len(self._code))]
        self._code.append(code if code.endswith(";") else f"{code};")
        self.state = state

    def undo(self) -> bool:
        """Back to the state before; False where there is none."""
        if not self._before:
            return False
        self.state, kept = self._before.pop()
        del self._code[kept:]
        return True

    @property
    def code(self) -> str:
        """The operations so far, as a job."""
        return "\n".join(self._code)

    def at(self, path: str) -> Json:
        """What is at a path. Raises LookupError with the part that is not there."""
        found: Json = self.state
        for name in re.findall(r"[^.\[\]]+", path.removeprefix("state.").removeprefix("$.")):
            try:
                if isinstance(found, list):
                    found = found[int(name)]
                elif isinstance(found, dict):
                    found = found[name]
                else:
                    raise LookupError(name)
            except (ValueError, LookupError):
                raise LookupError(name) from None
        return found
