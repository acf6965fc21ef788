"""The cases of `runtime-cases.json`, run by the real engine (issue 4, item 9)."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.direct import execute
from conformance.matching import includes, masked, same, same_event
from conformance.recording import Recording
from holdfast.adaptors import Store

ROOT = Path(__file__).parents[2]
DEVIATIONS: dict[str, Any] = json.loads(Path(__file__).with_name("deviations.json").read_text())
COMMON = "@openfn/language-common@3.3.4"
Case = dict[str, Any]


@dataclass
class Launch:
    """One run as a case wants it."""

    plan: dict[str, Any]
    input_text: str | None
    options: dict[str, Any]
    credentials: dict[str, Any] = field(default_factory=dict)


Executor = Callable[[Launch], Recording]


def common_folder() -> str:
    """Where `@openfn/language-common` is installed, from the registry if need be."""
    store = Store(ROOT / ".cache" / "adaptors")
    return str(asyncio.run(store.ensure([COMMON]))[COMMON].path)


def placed(case: Case, folder: Path) -> Case:
    """The case with its files created and its placeholders replaced."""
    for name, text in case.get("files", {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    text = json.dumps(case)
    if "$COMMON" in text:
        text = text.replace("$COMMON", common_folder())
    replaced: Case = json.loads(text.replace("$TMP", str(folder)))
    return replaced


def runtime_launch(case: Case) -> Launch:
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
            # the bare runtime leaves this to the platform
            "scrub": False,
            "state_props_to_remove": removed,
            "log_payload_limit_mb": 4,
            "trace": {"level": "runtime", "options": options},
        },
    )


def judge_runtime(expect: dict[str, Any], recording: Recording) -> list[str]:
    """What differs; empty when the case holds."""
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
        return [f"did not end: {recording.error or recording.records[-3:]}"]
    elif expect.get("noState") and not recording.end["none"]:
        return [f"has a state: {recording.end}"]
    elif "state" in expect and not same(expect["state"], recording.end.get("state")):
        return [f"state: {json.dumps(recording.end)}"]
    return []


def judge_logs(expect: dict[str, Any], recording: Recording) -> list[str]:
    problems = []
    for key, source in (("logs", "JOB"), ("adaptorLogs", "ADA"), ("engineLogs", "RTE")):
        if key in expect and not same(expect[key], recording.logs(source)):
            problems.append(f"{key}: {json.dumps(recording.logs(source))}")
    lines = [masked(line) for line in recording.logs("R/T")]
    if "runtimeLogs" in expect:
        if not any(line["level"] == "debug" for line in expect["runtimeLogs"]):
            lines = [line for line in lines if line["level"] != "debug"]
        if not same(expect["runtimeLogs"], lines):
            problems.append(f"runtimeLogs: {json.dumps(lines)}")
    problems += [
        f"no warning: {text}"
        for text in expect.get("runtimeWarnings", [])
        if {"level": "warn", "message": [text]} not in lines
    ]
    return problems


def directly(launch: Launch) -> Recording:
    ended = execute(launch.plan, input_text=launch.input_text, options=launch.options)
    return Recording(ended.frames)


def check(case: Case, executor: Executor = directly) -> list[str]:
    """Run one case; what differs from it, and from our own documented behaviour if it has one."""
    with tempfile.TemporaryDirectory(prefix="holdfast-case-") as folder:
        case = placed(case, Path(folder).resolve())
        recording = executor(runtime_launch(case))
    expected = DEVIATIONS.get(case["id"], {}).get("expect", case["expect"])
    return judge_runtime(expected, recording)


def run(cases: list[Case]) -> list[str]:
    """Run all cases; one text for each that fails, its id first."""
    failures = []
    for case in cases:
        if case["level"] != "runtime":
            continue
        problems = check(case)
        if problems:
            failures.append(f"{case['id']} {case['title']}\n    " + "\n    ".join(problems))
    return failures
