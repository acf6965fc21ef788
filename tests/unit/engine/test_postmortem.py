from __future__ import annotations

import json

from holdfast.engine.postmortem import build, text
from holdfast.journal import Record
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind


def journal(*entries: tuple[Kind, JsonObject]) -> list[Record]:
    return [
        Record(number, 1_000_000 + number * 5_000, kind, json.dumps(body).encode(), 0, 0)
        for number, (kind, body) in enumerate(entries, start=1)
    ]


SAMPLES: list[tuple[Kind, JsonObject]] = [(Kind.SAMPLE, {"memory_mb": n}) for n in range(500)]
LINES: list[tuple[Kind, JsonObject]] = [
    (Kind.LOG, {"source": "JOB", "level": "info", "message": ["line", n]}) for n in range(50)
]
KILLED = journal(
    (Kind.CLAIMED, {"run_id": "r-1"}),
    (Kind.LAUNCHED, {"memory_limit_mb": 128, "memory_means": "cgroup-v1", "layers": ["seccomp"]}),
    (Kind.REPORT, {"step": "a", "data_bytes": 5_000_000, "source_bytes": 5_000_100}),
    (Kind.REPORT, {"step": "b", "data_bytes": 10}),
    (Kind.STEP_START, {"step_id": "s", "job_id": "a"}),
    (Kind.PHASE, {"phase": "step", "step": "a", "operation": 2, "name": "A"}),
    *SAMPLES,
    *LINES,
    (Kind.STEP_COMPLETE, {"job_id": "a", "reason": "kill", "error_type": "OOMError"}),
    (
        Kind.OUTCOME,
        {
            "reason": "kill", "error_type": "OOMError", "error_message": "too much",
            "evidence": {"memory": {"peak": 1 << 27, "heap": 1 << 26}, "place": {"step": "a"}},
        },
    ),
)  # fmt: skip


def test_everything_is_in_one_document() -> None:
    document = build(KILLED)
    assert document["run_id"] == "r-1"
    assert document["outcome"] == {
        "reason": "kill",
        "error_type": "OOMError",
        "error_message": "too much",
    }
    assert isinstance(document["diagnosis"], dict)
    assert document["diagnosis"]["code"] == "HF1403"
    assert document["advice"] == document["diagnosis"]["change"]
    assert document["place"] == {"step": "a"}
    assert [item["step"] for item in document["large_data"]] == ["a"]  # type: ignore[union-attr,call-overload,index]
    timeline = document["timeline"]
    assert isinstance(timeline, list)
    assert timeline[0] == {"ms": 0, "what": "claimed"}
    assert {"ms": 25, "what": 'executing "A", operation 2'} in timeline
    json.dumps(document)


def test_of_a_long_timeline_the_beginning_and_the_end_are_kept() -> None:
    steps: list[tuple[Kind, JsonObject]] = [
        (Kind.PHASE, {"phase": "step", "step": "a", "operation": n}) for n in range(1000)
    ]
    document = build(journal((Kind.CLAIMED, {"run_id": "r"}), *steps))
    timeline = document["timeline"]
    assert isinstance(timeline, list)
    assert len(timeline) == 201
    assert timeline[0] == {"ms": 0, "what": "claimed"}
    assert timeline[50] == {"ms": None, "what": "(801 more)"}
    assert timeline[-1] == {"ms": 5000, "what": "executing a, operation 999"}
    assert "(801 more)" in text(
        {**document, "outcome": {"reason": "kill", "error_type": None, "error_message": None}}
    )


def test_it_stays_small() -> None:
    document = build(KILLED)
    memory, lines = document["memory"], document["last_lines"]
    assert isinstance(memory, dict)
    assert isinstance(lines, list)
    samples = memory["samples"]
    assert isinstance(samples, list)
    assert len(samples) <= 200
    assert samples[-1][1] == 499  # type: ignore[index]
    assert len(lines) == 20
    assert lines[-1] == "JOB info line 49"


def test_for_a_person() -> None:
    shown = text(build(KILLED))
    assert "outcome   kill / OOMError" in shown
    assert "peak 128 MB of 128 MB (cgroup-v1), JavaScript heap 64 MB" in shown
    assert '"A" ended: kill / OOMError' in shown


def test_a_run_under_way() -> None:
    document = build(KILLED[:4])
    assert document["outcome"] is None
    assert "under way" in text(document)


def test_an_empty_journal() -> None:
    assert build([])["timeline"] == []


def test_what_a_run_can_make_it_keep_is_bounded() -> None:
    entries: list[tuple[Kind, JsonObject]] = []
    for number in range(3000):
        entries.append((Kind.PHASE, {"phase": "step", "step": f"s{number}", "name": "x" * 100}))
        entries.append((Kind.REPORT, {"step": "s", "name": "n", "data_bytes": 300_000 + number}))
    document = build(journal(*entries))
    large = document["large_data"]
    assert isinstance(large, list)
    assert len(large) == 50
    assert len(str(document)) < 100_000
