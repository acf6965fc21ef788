"""The cases of `runtime-cases.json`, run by the real engine."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance import instead
from conformance.launching import Launch, common_folder, engine_launch, record
from conformance.matching import includes, masked, same, same_event
from conformance.overlay import traced
from conformance.recorded import Case
from conformance.recording import Recording, engine_error, engine_events
from conformance.rules import (
    same_ending,
    same_engine_event,
    same_lines,
    sees_a_web_name,
    without_our_notes,
)
from holdfast.engine.client import Engine, start_supervisor

DEVIATIONS: dict[str, Any] = json.loads(Path(__file__).with_name("deviations.json").read_text())
Judge = Callable[[dict[str, Any], Recording], list[str]]


def placed(case: Case, folder: Path) -> Case:
    """The case with its files created and its placeholders replaced."""
    folder.chmod(0o755)  # a run has a user of its own
    for name, text in case.get("files", {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    text = json.dumps(case)
    if "$COMMON" in text:
        text = text.replace("$COMMON", str(common_folder()))
    replaced: Case = json.loads(text.replace("$TMP", str(folder)))
    return replaced


def runtime_launch(case: Case, folder: str) -> Launch:
    """A case of level `runtime`: its expressions are modules already."""
    options = dict(case.get("options", {}))
    if "plan" in case:
        plan = case["plan"]
    else:
        step = {"id": options.get("defaultStepId"), "expression": case["job"]}
        if "sourceMap" in options:
            step["sourceMap"] = options["sourceMap"]
        step = {key: item for key, item in step.items() if item is not None}
        plan = {"workflow": {"steps": [step]}, "options": {}}
    removed = options.pop("statePropsToRemove", ["configuration"])
    return Launch(
        plan,
        json.dumps(case["input"]) if "input" in case else None,
        {
            "run_id": case["id"],
            "compile": False,
            # what the run may read: nothing but adaptors, so the case's files are called that
            "adaptors": {
                path: {"name": path, "version": "0.0.0", "path": path, "entry": "", "exports": []}
                for path in (folder, str(common_folder()))
            },
            "state_props_to_remove": removed,
            "log_payload_limit_mb": 4,
            "case": {"level": "runtime", "options": options},
        },
    )


def judge_runtime(expect: dict[str, Any], recording: Recording) -> list[str]:
    """What differs; empty when the case holds."""
    if sees_a_web_name(expect):
        missing = recording.error and recording.error["message"] == expect["error"]["message"]
        return [f"error: {recording.error}"] if missing else []
    problems = judge_end(expect, recording)
    if "events" in expect:
        wanted, events = expect["events"], recording.events
        if len(wanted) != len(events) or not all(map(same_event, wanted, events)):
            problems.append(f"events: {json.dumps(events)}")
    return problems + judge_logs(expect, recording)


def judge_end(expect: dict[str, Any], recording: Recording) -> list[str]:
    if "error" in expect:
        if recording.error is None:
            return [f"no error; ended with {recording.end}"]
        raw = "severity" not in expect["error"] and "severity" in recording.error
        if raw or not includes(expect["error"], recording.error):
            return [f"error: {recording.error}"]
    elif recording.end is None:
        return [f"did not end: {recording.error or recording.outcome or recording.records[-3:]}"]
    elif expect.get("noState") and not recording.end["none"]:
        return [f"has a state: {recording.end}"]
    elif "state" in expect and not same(expect["state"], recording.end.get("state")):
        return [f"state: {json.dumps(recording.end)}"]
    return []


def judge_logs(expect: dict[str, Any], recording: Recording) -> list[str]:
    problems = []
    for key, source in (("logs", "JOB"), ("adaptorLogs", "ADA"), ("engineLogs", "RTE")):
        lines = recording.logs(source)
        if source == "ADA" and not _has_debug(expect.get(key, [])):
            lines = _without_debug(lines)  # the reference's engine loses these of adaptors
        if key in expect and not same_lines(expect[key], lines):
            problems.append(f"{key}: {json.dumps(lines)}")
    lines = without_our_notes([masked(line) for line in recording.logs("R/T")])
    if "runtimeLogs" in expect:
        if not _has_debug(expect["runtimeLogs"]):
            lines = _without_debug(lines)
        if not same(expect["runtimeLogs"], lines):
            problems.append(f"runtimeLogs: {json.dumps(lines)}")
    problems += [
        f"no warning: {text}"
        for text in expect.get("runtimeWarnings", [])
        if {"level": "warn", "message": [text]} not in lines
    ]
    return problems


def _has_debug(lines: list[Case]) -> bool:
    return any(line["level"] == "debug" for line in lines)


def _without_debug(lines: list[Case]) -> list[Case]:
    return [line for line in lines if line["level"] != "debug"]


def judge_engine(expect: dict[str, Any], recording: Recording) -> list[str]:
    """The same for a case of level `engine`, by what the run's journal holds."""
    problems = []
    if "error" in expect:
        ended = engine_error(recording)
        if ended is None or not same_ending(expect["error"], ended):
            problems.append(f"error: {ended}")
    elif recording.end is None:
        problems.append(f"did not end: {recording.outcome}")
    elif "state" in expect and not same(expect["state"], recording.end.get("state")):
        problems.append(f"state: {json.dumps(recording.end)}")
    if "events" in expect:
        events = engine_events(recording)
        wanted = expect["events"]
        if len(wanted) != len(events) or not all(map(same_engine_event, wanted, events)):
            problems.append(f"events: {json.dumps(events)}")
    return problems + judge_logs(expect, recording)


def judged(judge: Judge, case: Case, expect: Any, recording: Recording) -> list[str]:
    """What differs from the recorded result, unless what we do instead holds."""
    problems = judge(expect, recording)
    if not problems or case["id"] in DEVIATIONS:
        return problems
    if instead.holds(expect, recording):
        return []
    older = case.get("expectOnNode20")  # whose names of CommonJS modules are here too
    if older is not None and not judge(older, recording):
        return []
    softer = instead.softened(case, expect, recording)
    return problems if softer == expect else judge(softer, recording)


async def check(case: Case, engine: Engine, journals: Path) -> list[str]:
    """Run one case; what differs from it, or from our own documented behaviour if it has one."""
    with tempfile.TemporaryDirectory(prefix="holdfast-case-") as folder:
        case = placed(case, Path(folder))
        expected = DEVIATIONS.get(case["id"], {}).get("expect", case["expect"])
        if case["level"] == "runtime":
            recording = await record(runtime_launch(case, folder), engine, journals)
            return judged(judge_runtime, case, expected, recording)
        problems = []
        plans = case.get("plans") or [case["plan"]]
        for plan, wanted in zip(plans, expected.get("runs") or [expected], strict=True):
            launch = await engine_launch(case, plan, Path(folder))
            recording = await record(launch, engine, journals)
            problems += judged(judge_engine, case, wanted, recording)
        return problems


async def check_all(cases: list[Case]) -> list[str]:
    """Run the cases in one engine, some at a time."""
    slots = asyncio.Semaphore(os.cpu_count() or 1)
    failures: dict[str, str] = {}

    async def one(case: Case) -> None:
        async with slots:
            problems = await check(case, engine, journals)
        if problems:
            failures[case["id"]] = "\n    ".join([f"{case['id']} {case['title']}", *problems])

    # the journals outlive the shims, which still clean up when their run has ended
    with tempfile.TemporaryDirectory(prefix="holdfast-cases-") as data:
        journals = Path(data) / "journals"
        journals.mkdir()
        program = traced(Path(data) / "traced")
        async with start_supervisor(Path(data), configure=program) as engine:
            await asyncio.gather(*map(one, cases))
    return [failures[case["id"]] for case in cases if case["id"] in failures]


def run(cases: list[Case]) -> list[str]:
    """Run all cases through the whole engine; one text for each that fails, its id first."""
    common_folder()  # installed before the first case waits for it
    return asyncio.run(check_all(cases))
