"""The bodies of journal records, one TypedDict for each kind (`docs/journal.md` explains them).

This is the only definition. The shim checks with it what a run process sends, the agent what it
reads, and tests hold the document and the JavaScript side against it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, NotRequired, TypeAlias, TypedDict

from holdfast.model.record import Kind
from holdfast.model.shape import Between, Chars, Items, Shape, shape_of

#: Letters of a name or an id; of a message for people; of a document that stands in its record.
WORD, MESSAGE, INLINE = 1000, 20_000, 16 * 1024
_MOST = 2.0**53  # whole numbers that JavaScript can count to

Word: TypeAlias = Annotated[str, Chars(WORD)]
Message: TypeAlias = Annotated[str, Chars(MESSAGE)]
#: Unix microseconds as decimal text. What is no time is replaced by that of the record.
Time: TypeAlias = Annotated[str, Chars(32)]
Count: TypeAlias = Annotated[int, Between(0, _MOST)]
Amount: TypeAlias = Annotated[float, Between(0, _MOST)]
Names: TypeAlias = Annotated[list[Word], Items(10_000)]
#: Any JSON that `holdfast.model.json.parse_fit` takes.
Free: TypeAlias = Any
Facts: TypeAlias = dict[str, Free]
Level: TypeAlias = Literal["debug", "info", "success", "always", "warn", "error"]
Ending: TypeAlias = Literal["success", "fail", "crash", "kill", "exception", "cancel"]


class Document(TypedDict, total=False):
    """One of: `inline`; `blob` with `bytes`; `withheld` with `bytes`; `omitted`.

    Between run process and shim a large one is `stream` with `bytes`.
    """

    inline: Annotated[str, Chars(INLINE)]
    blob: Annotated[str, Chars(64)]
    stream: Count
    bytes: Count
    withheld: Literal["DATACLIP_TOO_LARGE"]
    largest_key: Message | None
    omitted: Literal[True]


class Memory(TypedDict):
    """Bytes in use at the end of a step."""

    job: Count
    system: Count


class Position(TypedDict):
    """A place in the author's text, from 1; a number that is a secret is masked as text."""

    line: Count | Word | None
    column: Count | Word | None
    src: NotRequired[Message]


class Measures(TypedDict, total=False):
    """What a step used."""

    duration_ms: Count
    cpu_ms: Count
    peak_heap_bytes: Count
    peak_memory_bytes: Count
    state_in_bytes: Count
    state_out_bytes: Count
    log_lines: Count


class Claimed(TypedDict):
    """CLAIMED: the run is ours. A run of a command has its id only."""

    run_id: str
    platform: NotRequired[str]
    token: NotRequired[str]
    worker: NotRequired[str]
    loop: NotRequired[str]


class Workflow(TypedDict):
    """Which version of which workflow a run executes."""

    id: Word
    version: Count


class Prepared(TypedDict):
    """PREPARED: plan, input and adaptors are here. `credentials`: their ids, for secrets.

    `workflow`: where the platform says it.
    """

    limits: NotRequired[Facts]
    adaptors: NotRequired[Facts]
    plan_bytes: Count
    input_bytes: Count
    dataclip_id: NotRequired[str | None]
    output_dataclips: NotRequired[bool]
    credentials: NotRequired[list[str]]
    workflow: NotRequired[Workflow]


class Launched(TypedDict):
    """LAUNCHED: a run process exists."""

    shim: Count
    shim_started: Count | None
    boot: str
    pids: dict[str, Count]
    started: dict[str, Count | None]
    lane: NotRequired[str]  # of `engine.shim.launch.Lane`; journals of earlier versions lack it
    layers: list[str]
    memory_limit_mb: Count
    memory_means: str
    group: str | None
    scratch: str
    timeout_ms: Count


class Phase(TypedDict):
    """PHASE: where the run is."""

    phase: Literal["compile", "load", "step", "serialise"]
    step: NotRequired[Word | None]
    name: NotRequired[Word | None]
    operation: NotRequired[Count | None]
    call: NotRequired[Word | None]
    line: NotRequired[Count | None]


class RunStart(TypedDict):
    """RUN_START."""

    timestamp: Time
    versions: Facts


class Log(TypedDict):
    """LOG: one line."""

    source: Annotated[str, Chars(16)]
    level: Level
    message: list[Free]
    timestamp: Time
    step_id: NotRequired[Word | None]
    print: NotRequired[Literal[True]]


class StepStart(TypedDict):
    """STEP_START."""

    step_id: Word
    job_id: Word
    timestamp: Time
    input_dataclip_id: NotRequired[Word | None]


class StepComplete(TypedDict):
    """STEP_COMPLETE. `duration` in milliseconds."""

    step_id: Word
    job_id: Word
    timestamp: Time
    reason: Ending
    duration: NotRequired[Amount]
    thread_id: NotRequired[Count]
    mem: NotRequired[Memory]
    error_type: NotRequired[Word | None]
    error_message: NotRequired[Message | None]
    next: NotRequired[Names]
    output_dataclip_id: NotRequired[Word | None]
    output: NotRequired[Document]
    wrapped: NotRequired[Literal[True]]
    webhook_response_document: NotRequired[Document]
    position: NotRequired[Position | None]
    measures: NotRequired[Measures]
    facts: NotRequired[Facts]
    tape: NotRequired[Document]


class Sample(TypedDict):
    """SAMPLE: memory, processor time of what computes. `at` in Unix microseconds."""

    memory_mb: Amount
    cpu_ms: NotRequired[Count]  # journals of earlier versions lack it
    at: Count


class Report(TypedDict):
    """REPORT: what the compiler found in one step."""

    step: Word | None
    name: Word | None
    source_bytes: Count
    module_bytes: Count
    operations: Count
    imports: Facts
    data: Annotated[list[Facts], Items(1000)]
    data_count: Count
    data_bytes: Count
    hoisted_bytes: Count
    forecast_mb: Amount
    seconds: Amount | None
    peak_mb: Amount | None
    advice: list[str]
    warnings: list[str]


class Result(TypedDict):
    """RESULT: the engine's word that the workflow ended."""

    timestamp: Time
    reason: Ending
    error_type: NotRequired[Word | None]
    error_message: NotRequired[Message | None]
    final_dataclip_id: NotRequired[Word | None]
    final_state: NotRequired[Document]
    wrapped: NotRequired[Literal[True]]


class RunError(TypedDict):
    """RUN_ERROR: the engine's, or the compiler's, word that the run cannot go on."""

    timestamp: Time
    error_type: Word
    error_message: Message
    severity: Ending
    step: NotRequired[Word | None]
    subtype: NotRequired[Word | None]
    position: NotRequired[Position | None]
    details: NotRequired[Free]
    facts: NotRequired[Facts]


class Counted(TypedDict):
    """Requests to one host that are not told one by one, the empty name for further hosts.

    `answered` and `failed` are parts of `sent`; `answered` by the first digit of the status, from
    1 to 5. `addresses`: of their connections.
    """

    host: Word
    made: Count
    sent: Count
    answered: Annotated[list[Count], Items(5)]
    failed: Count
    addresses: Annotated[list[Word], Items(20)]


class Request(TypedDict):
    """REQUEST: told when it is written to a connection, when its answer begins, when it ends; and
    when it was made, where it does not leave at once.

    `number` from 1 in the run, `bytes` of what is sent, `ms` until its end, `address` that of the
    connection, `key` the idempotency key that it carries. `exchange`: what was asked and answered,
    where the project agreed that it is kept. `more` tells of all that are only counted: `hosts`,
    `open` one that is under way, `whole` at the end of a step.
    """

    timestamp: Time
    what: Literal["made", "sent", "begun", "answered", "failed", "more"]
    number: Count
    step_id: NotRequired[Word | None]
    operation: NotRequired[Count | None]
    method: NotRequired[Word]
    host: NotRequired[Word]
    path: NotRequired[Word]
    bytes: NotRequired[Amount | None]
    key: NotRequired[Word | None]
    status: NotRequired[Count | None]
    address: NotRequired[Word | None]
    error: NotRequired[Word | None]
    ms: NotRequired[Amount | None]
    exchange: NotRequired[Document]
    hosts: NotRequired[Annotated[list[Counted], Items(60)]]
    open: NotRequired[Word | None]
    whole: NotRequired[Literal[True]]


class Outcome(TypedDict):
    """OUTCOME: how the run ended."""

    timestamp: Time
    reason: Ending
    error_type: str | None
    error_message: str | None
    evidence: Facts
    diagnosis: NotRequired[Facts]


class Note(TypedDict):
    """NOTE: what happened in delivery; further particulars by what it is about."""

    what: str


#: Every kind with its definition.
BODIES: Final[Mapping[Kind, type]] = MappingProxyType(
    {
        Kind.CLAIMED: Claimed,
        Kind.PREPARED: Prepared,
        Kind.LAUNCHED: Launched,
        Kind.PHASE: Phase,
        Kind.RUN_START: RunStart,
        Kind.LOG: Log,
        Kind.STEP_START: StepStart,
        Kind.STEP_COMPLETE: StepComplete,
        Kind.SAMPLE: Sample,
        Kind.REPORT: Report,
        Kind.RESULT: Result,
        Kind.RUN_ERROR: RunError,
        Kind.REQUEST: Request,
        Kind.OUTCOME: Outcome,
        Kind.NOTE: Note,
    }
)
SHAPES: Final[Mapping[int, Shape]] = MappingProxyType(
    {kind: shape_of(body) for kind, body in BODIES.items()}
)


def encode(body: Mapping[str, object]) -> bytes:
    """The bytes of a body in a journal."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")
