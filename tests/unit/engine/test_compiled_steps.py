"""Compiled steps that are kept: for whom, what of them, and what is done with damaged ones."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from holdfast.engine.config import EngineConfig
from holdfast.engine.frames import FromRun, ToRun
from holdfast.engine.shim.compiled import Compiled, folder, prune
from holdfast.model.json import JsonObject
from holdfast.model.record import Kind

OPTIONS: JsonObject = {"project_id": "p", "adaptors": {"http@1": {"exports": ["get"]}}}
STEP: JsonObject = {"id": "a", "name": "A", "adaptors": ["http@1"], "expression": "get('x')"}


@pytest.fixture
def config(tmp_path: Path) -> EngineConfig:
    return EngineConfig(tmp_path, tmp_path / "engine.sock", node=tmp_path)


def plan(config: EngineConfig, *steps: JsonObject, **rest: object) -> Path:
    path = config.data / "plan.json"
    path.write_text(json.dumps({"id": "run", "workflow": {"steps": list(steps)}, **rest}))
    return path


def of(config: EngineConfig, *steps: JsonObject, options: JsonObject = OPTIONS) -> Compiled:
    found = Compiled.of(config, plan(config, *steps), options)
    assert found is not None
    return found


def line(text: str) -> bytes:
    return json.dumps(
        {"source": "CMP", "level": "warn", "message": [text], "timestamp": "1"}
    ).encode()


def learn(compiled: Compiled, *modules: bytes) -> None:
    """What the compiler's process sends for a plan of so many steps."""
    for module in modules:
        compiled.learn(Kind.PHASE, b'{"phase":"compile"}')
        compiled.learn(ToRun.MODULE, module)
        compiled.learn(Kind.REPORT, b"{}")
        compiled.learn(Kind.LOG, line("advice"))
        compiled.learn(Kind.LOG, line("Compiled A in 5ms"))
    compiled.learn(ToRun.PLAN, b"{}")
    compiled.learn(FromRun.COMPILED, b"")
    compiled.keep()


def test_what_was_learnt_is_known_to_the_next_run(config: EngineConfig) -> None:
    learn(of(config, STEP), b"module")
    frames = of(config, STEP).known()
    assert frames is not None
    kinds = [kind for kind, _ in frames]
    assert kinds == [
        Kind.PHASE, ToRun.MODULE, Kind.REPORT, Kind.LOG, Kind.LOG, ToRun.PLAN, FromRun.COMPILED,
    ]  # fmt: skip
    assert frames[1][1] == b"module"
    said = [json.loads(body) for kind, body in frames if kind == Kind.LOG]
    assert said[0]["message"] == ["advice"]
    assert said[1]["message"][0].startswith("Compiled A in ")
    assert all(int(one["timestamp"]) > 1_000_000 for one in said), "said at the time of this run"
    sent = json.loads(frames[-2][1])
    assert sent["id"] == "run"
    assert "expression" not in sent["workflow"]["steps"][0]


@pytest.mark.parametrize(
    ("step", "options"),
    [
        ({**STEP, "expression": "get('y')"}, OPTIONS),
        ({**STEP, "id": "b"}, OPTIONS),
        ({**STEP, "name": "B"}, OPTIONS),
        ({**STEP, "adaptors": []}, OPTIONS),
        (STEP, {**OPTIONS, "project_id": "q"}),
        (STEP, {**OPTIONS, "project_id": None}),
        (STEP, {**OPTIONS, "adaptors": {"http@1": {"exports": ["get", "put"]}}}),
    ],
)
def test_nothing_that_is_compiled_otherwise_or_elsewhere_is_known(
    config: EngineConfig, step: JsonObject, options: JsonObject
) -> None:
    learn(of(config, STEP), b"module")
    assert of(config, step, options=options).known() is None


def test_a_plan_is_known_when_all_its_steps_are(config: EngineConfig) -> None:
    second: JsonObject = {**STEP, "id": "b"}
    learn(of(config, STEP), b"first")
    assert of(config, STEP, second).known() is None
    learn(of(config, STEP, second), b"first", b"second")
    frames = of(config, STEP, second).known()
    assert frames is not None
    assert [body for kind, body in frames if kind == ToRun.MODULE] == [b"first", b"second"]


def test_a_damaged_entry_is_forgotten(config: EngineConfig) -> None:
    learn(of(config, STEP), b"module")
    (entry,) = folder(config).iterdir()
    data = bytearray(entry.read_bytes())
    data[-1] ^= 1
    entry.write_bytes(data)
    assert of(config, STEP).known() is None
    assert list(folder(config).iterdir()) == []


def test_a_compilation_that_came_to_no_end_is_not_kept(config: EngineConfig) -> None:
    compiled = of(config, STEP)
    compiled.learn(Kind.PHASE, b"{}")
    compiled.learn(ToRun.MODULE, b"half of it")
    compiled.keep()
    assert of(config, STEP).known() is None


@pytest.mark.parametrize(
    ("text", "options"),
    [("{", OPTIONS), ("[]", OPTIONS), (" " * 300_000 + "{}", OPTIONS), ("{}", {"compile": False})],
)
def test_other_plans_are_left_to_the_compiler(
    config: EngineConfig, text: str, options: JsonObject
) -> None:
    path = config.data / "plan.json"
    path.write_text(text)
    assert Compiled.of(config, path, options) is None


def test_entries_nobody_uses_are_removed(config: EngineConfig) -> None:
    learn(of(config, STEP), b"module")
    learn(of(config, {**STEP, "id": "b"}), b"module")
    old, kept = sorted(folder(config).iterdir())
    week = time.time() - 8 * 24 * 3600
    os.utime(old, (week, week))
    prune(config)
    assert list(folder(config).iterdir()) == [kept]
