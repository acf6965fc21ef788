"""What a run's end means, in words for its author, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from holdfast.platform.web.language import say

#: A message that names its class twice.
_TWICE = re.compile(r"(\w+): (?=\1: )")


@dataclass(frozen=True, slots=True)
class Explanation:
    """What happened, and what one can do."""

    what: str
    advice: str | None = None


_STATES = {
    "available": Explanation("The run waits in the queue until a worker takes it."),
    "claimed": Explanation(
        "A worker has taken the run and prepares it: its plan, its input and its adaptors.",
        "An adaptor that is used here for the first time is installed, which takes some seconds.",
    ),
    "started": Explanation("The run is under way."),
    "success": Explanation("Every step that ran came to its end."),
    "failed": Explanation(
        "A job raised an error in the last step that ran.",
        "Look at the error and at that step's input; then retry from the step.",
    ),
    "crashed": Explanation(
        "The code could not be run, or broke in a way it cannot go on from.",
        "The message names the place in the code. Mend it, deploy, then retry.",
    ),
    "killed": Explanation(
        "The run reached a limit, or tried something that is not allowed.",
        "The message says which limit. Let the step handle less at a time.",
    ),
    "exception": Explanation(
        "Something failed outside the author's code.",
        "Usually a retry helps. If not, the log and the message say what to look at.",
    ),
    "cancelled": Explanation("Somebody cancelled the run."),
    "lost": Explanation(
        "Nobody reported how the run ended. What is known about it stands below.",
        "Check what the run has done before you retry: it may have completed.",
    ),
}
_TYPES = {
    "OOMError": Explanation(
        "The run needed more memory than it may have.",
        "Keep less in state: work in pages, and put large tables into a Collection.",
    ),
    "TimeoutError": Explanation(
        "The run took longer than it may.",
        "Work in smaller parts, or raise the limit of the platform.",
    ),
    "StateTooLargeError": Explanation(
        "The state at the end of a step was larger than allowed.",
        "Remove what later steps do not need, or store it in a Collection.",
    ),
    "SecurityError": Explanation("The code tried to make code from text, which is not allowed."),
    "ImportError": Explanation(
        "The code imports a package that is not allowed or not there.",
        "Only the step's adaptor can be imported.",
    ),
    "CompileError": Explanation(
        "The code is not valid JavaScript.",
        "The message has line and column. Mend it, deploy, then retry.",
    ),
    "AutoinstallError": Explanation(
        "An adaptor could not be installed.",
        "Check its name and version, and that the worker reaches the npm registry.",
    ),
    "CredentialLoadError": Explanation(
        "A credential could not be loaded.", "Set its secret on the platform, then retry."
    ),
    "LostAfterClaim": Explanation(
        "A worker took the run and was not heard of again before it began."
    ),
    "EventRejected": Explanation(
        "The worker reported something that the platform had to refuse.",
        "The notes below have the event and the reason.",
    ),
}


def explain(state: str, error_type: str | None) -> Explanation:
    """The best explanation there is."""
    found = _TYPES.get(error_type or "") or _STATES.get(state)
    if found is None:
        return Explanation("")
    return Explanation(say(found.what), None if found.advice is None else say(found.advice))


def error_words(error_type: str | None, message: str | None) -> str:
    """An error in one text, which names its class once.

    The type of an error is a kind of ending (`RuntimeError`, `JobError`); its message
    begins with the class that the author knows (`TypeError: …`), and sometimes does so twice.
    """
    text = message or error_type or ""
    repeated = _TWICE.match(text)
    return text[repeated.end(1) + 2 :] if repeated else text
