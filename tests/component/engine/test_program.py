"""The run process's program as one file: laid once, cached, and the cache is taken."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.engine.config import JAVASCRIPT, EngineConfig, EngineError
from holdfast.engine.run import program
from holdfast.engine.shim.walls import NODE_FLAGS
from support.engine import engine, run

TAKEN = "console.log(require(process.argv[1]).cachedDataRejected); process.exit()"


def cache_rejected(config: EngineConfig, *flags: str) -> str:
    """What V8 says of the cache: `false`, `true`, or `undefined` where there is none."""
    argv = [str(config.node), *NODE_FLAGS, *flags, "-e", TAKEN, str(config.program)]
    ended = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return ended.stdout.decode().strip()


def test_its_cache_is_made_once_and_holds_for_every_memory_limit(tmp_path: Path) -> None:
    plain = EngineConfig(tmp_path, tmp_path / "socket")
    config = replace(plain, program=program.install(plain))
    assert not program.cached(config.program)
    program.make_cache(config, NODE_FLAGS)
    assert program.cached(config.program)
    assert program.install(plain) == config.program
    assert program.cached(config.program)
    for megabytes in (64, 4000):
        assert cache_rejected(config, f"--max-old-space-size={megabytes}") == "false"


def test_a_changed_program_takes_the_place_of_the_earlier_one(tmp_path: Path) -> None:
    source = tmp_path / "javascript"
    shutil.copytree(JAVASCRIPT, source)
    plain = EngineConfig(tmp_path / "data", tmp_path / "socket", program=source / "main.mjs")
    plain.data.mkdir()
    first = program.install(plain)
    module = source / "clock.mjs"
    module.write_text(module.read_text() + "// changed\n")
    second = program.install(plain)
    assert first.is_file()  # an engine may be using it
    program.forget_others(second)
    assert list((plain.data / "program").iterdir()) == [second.parent] != [first.parent]


def test_a_damaged_program_is_laid_again_without_its_cache(tmp_path: Path) -> None:
    plain = EngineConfig(tmp_path, tmp_path / "socket")
    laid = program.install(plain)
    joined = laid.with_name("program.js")
    whole = joined.read_bytes()
    joined.write_bytes(whole[:1000] + bytes(len(whole) - 1000))
    laid.with_name("program.js.cache").write_bytes(b"of the same day")
    assert program.install(plain) == laid
    assert joined.read_bytes() == whole
    assert not program.cached(laid)


def test_a_cache_is_on_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = EngineConfig(tmp_path, tmp_path / "socket")
    config = replace(plain, program=program.install(plain))
    synced: list[tuple[int, bool]] = []

    def sync(file: int) -> None:
        synced.append((os.fstat(file).st_ino, program.cached(config.program)))

    monkeypatch.setattr(os, "fsync", sync)
    program.make_cache(config, NODE_FLAGS)
    cache, *folder = synced
    assert cache == (config.program.with_name("program.js.cache").stat().st_ino, False)
    assert folder == [(config.program.parent.stat().st_ino, True)]


def test_without_node_there_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"Node\.js cannot be found"):
        program.install(EngineConfig(tmp_path, tmp_path / "socket", node=tmp_path / "none"))


def test_no_cache_is_made_for_a_lone_run(tmp_path: Path) -> None:
    with engine(tmp_path) as running:
        run(running, "fn(state => state)")
    assert list(tmp_path.glob("program/*/load.cjs")) != []
    assert list(tmp_path.glob("program/*/*.cache*")) == []


def test_a_cache_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    plain = EngineConfig(tmp_path, tmp_path / "socket")
    config = replace(plain, program=program.install(plain))
    program.make_cache(replace(config, node=tmp_path / "no-node"), NODE_FLAGS)
    (config.program.parent / "program.js").write_text("(() => { throw new Error('broken'); })")
    program.make_cache(config, NODE_FLAGS)
    names = {path.name for path in config.program.parent.iterdir()} - {program.LIBRARY}
    assert names == {"load.cjs", "cache.cjs", "program.js"}
