"""The words that pages have for values: states, conditions, kinds of lines. One place for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.platform.web.language import Words, say, say_many

#: State -> what the chip says.
LABELS = Words(
    {
        "available": "Waiting",
        "pending": "Waiting",
        "claimed": "Starting",
        "started": "Running",
        "running": "Running",
        "success": "Success",
        "failed": "Failed",
        "crashed": "Crashed",
        "cancelled": "Cancelled",
        "killed": "Killed",
        "exception": "Exception",
        "lost": "Lost",
    }
)
#: Exit reason of a step -> state whose colours it takes.
STEP_STATES = {
    "success": "success",
    "fail": "failed",
    "crash": "crashed",
    "kill": "killed",
    "cancel": "cancelled",
    "exception": "exception",
    "lost": "lost",
}
#: Kind of log lines -> what they are.
LOG_KINDS = Words(
    {
        "normal": "all but the engine's details",
        "job": "the jobs' own lines",
        "warn": "warnings and errors",
        "info": "info and up",
        "all": "everything",
    }
)
#: Event of an alert -> when it is told.
ALERT_EVENTS = Words(
    {
        "first_failure": "a workflow fails that did not fail before",
        "recovery": "it succeeds again",
        "lost": "a run is lost",
        "failure": "any run fails",
        "queue_age": "a run waits for long",
    }
)
#: Fate of a request (`holdfast.engine.requests`) -> what became of it.
FATES = Words(
    {
        "answered": "answered",
        "failed": "failed",
        "under way: fate unknown": "no answer when the run ended: it may have been carried out",
        "never left": "never left",
    }
)
FATES_SHORT = Words({"under way: fate unknown": "no answer", "never left": "never left"})
#: Parts of a timeline that are not drawn -> where they are.
NOT_DRAWN = Words(
    {
        "wait": "in the queue",
        "prepare": "before the scale begins",
        "step": "kept from an earlier run",
    }
)
#: Action on many runs -> its words.
ACTION_WORDS = {
    "retry": Words(
        {
            "title": "Retry all that match",
            "button": "Retry them",
            "done": "%(count)s retried",
            "means": "Each is run again from its start, with its own input; of a work order only"
            " the newest run.",
        }
    ),
    "cancel": Words(
        {
            "title": "Cancel all that match",
            "button": "Cancel them",
            "done": "%(count)s cancelled, or asked to end",
            "means": "Those that wait end at once; those that a worker has are asked to end.",
        }
    ),
}
ACTION_STATES = Words({
    "running": "Under way", "done": "Done", "stopped": "Stopped", "failed": "Given up",
})  # fmt: skip
#: Filter of a list of runs -> what it is called.
FILTER_WORDS = Words(
    {
        "workflow_id": "Workflow",
        "id_begins": "Id begins with",
        "error_type": "Kind of error",
        "worker": "Worker",
        "work_order_id": "Work order",
        "inserted_after": "Made from",
        "inserted_before": "Made to",
        "updated_after": "Changed from",
        "updated_before": "Changed to",
        "min_duration_ms": "At least milliseconds",
        "max_duration_ms": "At most milliseconds",
        "min_memory_mb": "At least MB of memory",
        "max_memory_mb": "At most MB of memory",
    }
)
#: Name -> the words that scripts show (`static/words.js`); `{name}` takes a value.
SCRIPT_WORDS = Words(
    {
        "seconds": "{s} s",
        "minutes": "{min} min {s} s",
        "hours": "{h} h",
        "lines": "lines {first} to {last}",
        "lines-dropped": "lines {first} to {last}: earlier ones by their number",
        "live": "Live",
        "not-connected": "Not connected",
        "copied": "Copied",
        "item": "{count} item",
        "items": "{count} items",
        "key": "{count} key",
        "keys": "{count} keys",
        "characters": "{count} characters",
        "path": "path",
        "value": "value",
        "copy-path": "Copy the path of {path}",
        "copy-value": "Copy the value of {path}",
        "more-of": "{count} more of {left}",
        "search-in": "Search in {name}",
        "search": "Search",
        "text": "Text",
        "tree": "Tree",
        "found": "{at} of {count}",
        "found-or-more": "{at} of {count} or more",
        "not-found": "not found",
        "open-all": "Open all of it as a tree",
        "loading": "Loading…",
        "not-loaded": "It could not be loaded. Try again",
        "answered": "the platform answered {status}",
        "unreachable": "the platform cannot be reached",
        "unchecked": "Not checked: {why}",
        "code": "Code",
        "moved": "Moved: {name}",
    }
)
#: What a project keeps for a time -> the field of its page.
KEPT = Words(
    {
        "documents": "Contents of documents (inputs and outputs)",
        "logs": "Logs of runs",
        "runs": "Work orders and runs, with all that belongs to them",
    }
)
#: When a webhook answers its caller.
HOOK_REPLIES = Words({"": "at once", "after_completion": "when the run has ended"})
#: Type of a trigger -> what the form calls it, and the trigger alone and in a sentence.
TRIGGERS = Words({"webhook": "webhook", "cron": "clock (cron)"})
TRIGGER_NAMES = Words({"webhook": "webhook trigger", "cron": "cron trigger"})
TRIGGERS_WITHIN = Words({"webhook": "the webhook trigger", "cron": "the cron trigger"})
#: Condition of an edge -> when it is gone.
CONDITIONS = Words(
    {
        "always": "always",
        "on_job_success": "on success",
        "on_job_failure": "on failure",
        "js_expression": "if",
    }
)


def edge_words(edge: Mapping[str, Any]) -> str:
    """When an edge is gone: its label, or its condition."""
    if edge.get("condition_label"):
        return str(edge["condition_label"])
    kind = str(edge["condition_type"])
    words = CONDITIONS.get(kind, kind)
    return f"{words} {edge['condition_expression']}" if kind == "js_expression" else words


def handled_words(count: int) -> str:
    """What a success with failed steps is called."""
    return say_many(
        "Success, %(count)s step failed and was handled",
        "Success, %(count)s steps failed and were handled",
        count,
    )


def operation_words(number: int, name: str) -> str:
    """`2. get()`."""
    return f"{number}. {name}()" if name else say("Operation %(number)s", number=number)


def spans_words(spans: Sequence[object]) -> str:
    """How many operations and requests a step has that are not shown."""
    return say_many(
        "%(count)s operation or request", "%(count)s operations and requests", len(spans)
    )


def more_words(count: int) -> str:
    """What stands between the first and the last."""
    return say("… %(count)s more", count=f"{count:,}")
