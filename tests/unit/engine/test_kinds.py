"""Which runs share a zygote, and which kinds get one."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.engine.config import EngineConfig
from holdfast.engine.request import RunRequest
from holdfast.engine.zygote import kinds, rule
from holdfast.engine.zygote.kinds import Kind
from holdfast.model.json import JsonObject
from holdfast.model.limits import Limits
from holdfast.sandbox.spec import Network

ADAPTOR: JsonObject = {"path": "/store/http@1", "integrity": "sha512-a"}
OPTIONS: JsonObject = {"project_id": "p", "egress": "public", "adaptors": {"http@1": ADAPTOR}}


@pytest.fixture
def config(tmp_path: Path) -> EngineConfig:
    (tmp_path / "zygotes").mkdir()
    return EngineConfig(tmp_path, tmp_path / "engine.sock", node=tmp_path)


def request(config: EngineConfig, **options: object) -> RunRequest:
    return RunRequest(config.data / "run", "r", Limits(), {}, {**OPTIONS, **options})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "other",
    [
        {"project_id": "q"},
        {"project_id": None},
        {"egress": "none"},
        {"adaptors": {}},
        {"adaptors": {"http@1": {**ADAPTOR, "integrity": "sha512-b"}}},
        {"adaptors": {"http@1": {**ADAPTOR, "path": "/elsewhere"}}},
    ],
)
def test_runs_that_differ_in_what_may_be_shared_have_no_zygote_in_common(
    config: EngineConfig, other: dict[str, object]
) -> None:
    assert Kind.of(config, request(config)).name != Kind.of(config, request(config, **other)).name


@pytest.mark.parametrize("limit", ["memory_mb", "overhead_mb", "scratch_mb", "open_files"])
def test_limits_that_are_built_into_a_process_make_a_kind(
    config: EngineConfig, limit: str
) -> None:
    usual = request(config)
    other = replace(usual, limits=replace(usual.limits, **{limit: 77}))
    assert Kind.of(config, usual).name != Kind.of(config, other).name


def test_what_is_the_runs_own_makes_no_kind(config: EngineConfig) -> None:
    usual = request(config)
    other = replace(
        request(config, versions={"a": "b"}),
        run_id="other",
        credentials={"a": {}},
        limits=replace(usual.limits, timeout_seconds=1.0),
    )
    assert Kind.of(config, usual).name == Kind.of(config, other).name


def test_another_store_in_the_place_of_the_first_makes_another_kind(config: EngineConfig) -> None:
    stored = replace(config, store=config.data / "store")
    (config.data / "store").mkdir()
    first = Kind.of(stored, request(config)).name
    (config.data / "store").rename(config.data / "old")
    (config.data / "store").mkdir()
    assert Kind.of(stored, request(config)).name != first


def aged(config: EngineConfig, kind: Kind, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(config.data / "zygotes" / f"{kind.name}.json", (then, then))


def test_a_kind_is_wanted_from_its_first_run_on_as_long_as_it_has_runs(
    config: EngineConfig,
) -> None:
    kind = Kind.of(config, request(config))
    kinds.count(config, kind)
    assert kinds.wanted(config) == [kind.name]
    assert kinds.read(config, kind.name) == kind
    aged(config, kind, kinds.IDLE_SECONDS + 1)
    assert kinds.wanted(config) == []


def test_a_kind_that_had_a_single_run_the_last_time_waits_for_its_second(
    config: EngineConfig,
) -> None:
    kind = Kind.of(config, request(config))
    kinds.count(config, kind)
    for _ in range(2):
        aged(config, kind, kinds.IDLE_SECONDS + 1)
        kinds.count(config, kind)
        assert kinds.wanted(config) == []
    kinds.count(config, kind)
    assert kinds.wanted(config) == [kind.name]
    aged(config, kind, kinds.IDLE_SECONDS + 1)
    kinds.count(config, kind)
    assert kinds.wanted(config) == [kind.name], "it had many"


def test_an_engine_that_starts_wants_the_kinds_of_the_one_before(config: EngineConfig) -> None:
    often, once, old = (
        Kind.of(config, request(config, project_id=name)) for name in ("often", "once", "old")
    )
    for kind, runs in ((often, 2), (once, 1), (old, 2)):
        for _ in range(runs):
            kinds.count(config, kind)
        aged(config, kind, 3600 if kind is not old else 48 * 3600)
    kinds.expect(config)
    assert kinds.wanted(config) == [often.name]
    assert kinds.read(config, old.name) is None, "its note is gone"


def test_a_kind_that_has_a_run_goes_before_those_that_are_only_expected(
    config: EngineConfig,
) -> None:
    expected = [Kind.of(config, request(config, project_id=f"p{n}")) for n in range(4)]
    for kind in expected:
        for _ in range(kinds.RUNS):
            kinds.count(config, kind)
    kinds.expect(config)
    held = {kind.name for kind in expected}
    assert set(kinds.wanted(config, held)) == held
    new = Kind.of(config, request(config, project_id="new"))
    kinds.count(config, new)
    assert kinds.wanted(config, held)[0] == new.name


def moved(config: EngineConfig, name: str) -> EngineConfig:
    """The same engine on a new data folder."""
    data = config.data / name
    (data / "zygotes").mkdir(parents=True)
    return replace(config, data=data)


def test_a_new_data_folder_takes_the_kinds_that_its_store_has_seen_served(
    config: EngineConfig,
) -> None:
    stored = replace(config, store=config.data / "store")
    (config.data / "store").mkdir()
    kind = Kind.of(stored, request(config))
    kinds.served(stored, kind)
    new = moved(stored, "new")
    kinds.expect(new)
    assert kinds.wanted(new) == [kind.name]
    assert kinds.read(new, kind.name) == kind

    used = moved(stored, "used")
    own = Kind.of(used, request(config, project_id="own"))
    for _ in range(kinds.RUNS):
        kinds.count(used, own)
    kinds.expect(used)
    assert kinds.wanted(used) == [own.name], "it knows its own runs"

    copied = replace(moved(config, "third"), store=config.data / "copy")
    shutil.copytree(config.data / "store", config.data / "copy")
    kinds.expect(copied)
    assert kinds.wanted(copied) == [], "kinds of a copied store have other names"


def test_a_store_that_cannot_be_written_to_keeps_no_notes(config: EngineConfig) -> None:
    stored = replace(config, store=config.data / "store")
    (config.data / "store").write_text("a file is in its place")
    kinds.served(stored, Kind.of(stored, request(config)))
    kinds.expect(stored)
    assert kinds.wanted(stored) == []


def test_many_kinds_in_turn_do_not_take_each_others_places(config: EngineConfig) -> None:
    row = [Kind.of(config, request(config, project_id=str(number))) for number in range(6)]
    for number, kind in enumerate(row):
        kinds.count(config, kind)
        aged(config, kind, 20 - number)
    first = {kind.name for kind in row[:4]}
    assert set(kinds.wanted(config, first)) == first
    for kind in row[:2]:
        aged(config, kind, 40)
    assert set(kinds.wanted(config, first)) == {kind.name for kind in row[2:]}


def test_only_the_kinds_that_ran_last_have_a_zygote(config: EngineConfig) -> None:
    names = []
    for number in range(6):
        kind = Kind.of(config, request(config, project_id=str(number)))
        kinds.count(config, kind, forced=True)
        aged(config, kind, 60 - number)
        names.append(kind.name)
    assert kinds.wanted(config) == names[:1:-1]


def test_a_note_that_cannot_be_read_makes_no_zygote(config: EngineConfig) -> None:
    (config.data / "zygotes" / "x.json").write_text('{"runs": 2, "limits": [], "adaptors": {}}')
    assert kinds.read(config, "x") is None
    assert kinds.wanted(config) == ["x"]


@pytest.mark.parametrize("lane", ["standby", "cold"])
def test_the_option_keeps_runs_away_from_zygotes(config: EngineConfig, lane: str) -> None:
    forced = replace(config, lane=lane)
    assert rule.keeper_for(forced, request(config), Network.BROKER, "code") is None
    assert list((config.data / "zygotes").iterdir()) == [], "and nothing is noted"


@pytest.mark.parametrize(
    ("network", "workflow", "size"),
    [(Network.OPEN, "code", 1), (Network.BROKER, None, 1), (Network.BROKER, "code", 3 << 20)],
)
def test_runs_that_a_child_would_be_worse_for_are_not_counted(
    config: EngineConfig, network: Network, workflow: str | None, size: int
) -> None:
    (config.data / "run").mkdir()
    (config.data / "run" / "input.json").write_bytes(b" " * size)
    assert rule.keeper_for(config, request(config), network, workflow) is None
    assert list((config.data / "zygotes").iterdir()) == []


def test_code_that_needed_much_memory_goes_elsewhere(config: EngineConfig) -> None:
    rule.remember(config, "light", used=40, limit=100)
    rule.remember(config, "heavy", used=60, limit=100)
    rule.keeper_for(config, request(config), Network.BROKER, "heavy")
    assert kinds.wanted(config) == []
    for _ in range(2):
        rule.keeper_for(config, request(config), Network.BROKER, "light")
    assert len(kinds.wanted(config)) == 1


def test_only_kinds_whose_keeper_listens_are_said_to_serve(tmp_path: Path) -> None:
    notes = tmp_path / "zygotes"
    notes.mkdir()
    for name, adaptors in (("a", ["http@1", "common@1"]), ("b", ["fhir@1"])):
        note = {"adaptors": dict.fromkeys(adaptors)}
        (notes / f"{name}.json").write_text(json.dumps(note))
    assert kinds.serving(tmp_path) == []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(notes / "a"))
        assert kinds.serving(tmp_path) == ["common@1, http@1"]
    assert kinds.serving(tmp_path / "absent") == []
