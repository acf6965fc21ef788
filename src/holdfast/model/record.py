"""The records of a run's journal: one kind number each, body = UTF-8 JSON object.

The bodies are described in `docs/journal.md`. Kinds below 64 may appear in a journal; the run
process sends the same kinds to its shim, which appends their bodies as they came.
"""

from __future__ import annotations

from enum import IntEnum


class Kind(IntEnum):
    """What a journal record says."""

    # written by the agent, before the shim takes the journal over
    CLAIMED = 1  # the run is ours: id, time, where to deliver, token (encrypted)
    PREPARED = 2  # plan, input and adaptors are here; nothing of the author has run yet
    # written by the shim
    LAUNCHED = 10  # a run process exists: pid, layers, limits
    PHASE = 11  # compile, load, step, serialise; with the step where there is one
    RUN_START = 12  # versions, timestamp: becomes `run:start`
    LOG = 13  # one log line: becomes `run:log`
    STEP_START = 14  # becomes `step:start`
    STEP_COMPLETE = 15  # becomes `step:complete`
    SAMPLE = 16  # memory over time
    REPORT = 17  # the compiler's report of one step
    RESULT = 18  # the engine's own word that the workflow ended, with the final state
    RUN_ERROR = 19  # the engine's own word that the run cannot go on
    REQUEST = 21  # a request of the run was sent, answered, or failed
    OUTCOME = 30  # how the run ended: the last record of the shim; becomes `run:complete`
    # written by the agent after OUTCOME
    NOTE = 40  # what happened in delivery: refused events and the like


#: The run has executed code of its author once one of these stands in its journal.
USER_CODE_KINDS = frozenset({Kind.STEP_START, Kind.STEP_COMPLETE, Kind.RESULT})
