"""Why a run waits, in words, and what helps."""

from __future__ import annotations

from holdfast.platform.store.waits import Wait, Why
from holdfast.platform.web.language import later, say

#: What stands in the way, and what helps.
_WORDS = {
    Why.QUEUE_PAUSED: (
        later("All runs are paused by %(by)s."),
        later("The run begins when somebody resumes them on the page “Overview”."),
    ),
    Why.WORKFLOW_PAUSED: (
        later("The workflow is paused by %(by)s."),
        later("The run begins when somebody resumes the workflow on its page."),
    ),
    Why.NO_WORKER: (
        later("No worker is connected: nothing can run."),
        later("Start one; the page “Workers” says how. The run waits and is not lost."),
    ),
    Why.NO_WORKER_FOR_QUEUE: (
        later("No connected worker asks for the queue “%(by)s”."),
        later("Start one that does: its workloops must name the queue, or end in *."),
    ),
    Why.WORKFLOW_FULL: (
        later("The workflow has as many runs under way as it may (%(limit)s)."),
        later("The run begins when one of them has ended."),
    ),
    Why.PROJECT_FULL: (
        later("The project has as many runs under way as it may (%(limit)s)."),
        later("The run begins when one of them has ended."),
    ),
    Why.ONE_AT_A_TIME: (
        later("The run before it, of the same cron trigger, is under way."),
        later("The trigger lets one run go at a time."),
    ),
    Why.WORKERS_FULL: (
        later("All places of the workers are taken (%(limit)s)."),
        later("The run begins when one is free."),
    ),
    Why.SOON: (
        later("Nothing holds it back."),
        later(
            "A worker that asks for its queue takes it when it has room, after those before it."
        ),
    ),
}


def wait_words(wait: Wait) -> tuple[str, str]:
    """Why a run waits, and what helps."""
    what, advice = _WORDS[wait.why]
    return say(what, by=wait.by, limit=f"{wait.limit:,}"), say(advice)
