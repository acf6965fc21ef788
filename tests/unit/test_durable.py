"""Files are whole, private and synced with their folders, or they are not there."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast import durable
from support.powercut import PowerCut

#: Makes what the platform keeps of its keys, in a process whose syncs are written down.
LOAD_KEYS = """
import sys
from pathlib import Path
from holdfast.platform.access.keys import load_keys
load_keys(Path(sys.argv[1]), {})
"""


def run(power: PowerCut, script: str, *arguments: object) -> None:
    environment = os.environ | {name: str(value) for name, value in power.options.items()}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    subprocess.run(command, env=environment, check=True, timeout=60)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_power_cut_after_first_start_keeps_every_key_of_the_platform(tmp_path: Path) -> None:
    data, power = tmp_path / "deep" / "data", PowerCut(tmp_path / "synced")
    run(power, LOAD_KEYS, data)
    before = contents(data)
    assert "keys/encryption-key" in before
    power.cut(data)
    assert contents(data) == before


@pytest.mark.parametrize("times", [1, 2])
def test_written_file_survives_a_power_cut(times: int, tmp_path: Path) -> None:
    power = PowerCut(tmp_path / "synced")
    script = """
import sys
from pathlib import Path
from holdfast import durable
data = Path(sys.argv[1])
durable.make_folder(data / "a")
for number in range(int(sys.argv[2])):
    durable.write(data / "a" / "file", str(number).encode())
draft = data / "draft"
draft.write_bytes(b"moved")
durable.place(draft, data / "placed")
"""
    run(power, script, tmp_path / "data", times)
    power.cut(tmp_path / "data")
    expected = {"a/file": str(times - 1).encode(), "placed": b"moved"}
    assert contents(tmp_path / "data") == expected


def test_key_made_by_a_process_that_died_before_the_sync_is_synced_by_the_next(
    tmp_path: Path,
) -> None:
    power = PowerCut(tmp_path / "synced")
    script = """
import sys
from pathlib import Path
from holdfast import durable
data = Path(sys.argv[1])
durable.make_folder(data)
durable.fill(data / "key", b"made")  # and the process dies
"""
    run(power, script, tmp_path / "data")
    keep = """
import sys
from pathlib import Path
from holdfast import durable
assert durable.keep(Path(sys.argv[1]) / "key", lambda: b"another") == b"made"
"""
    run(power, keep, tmp_path / "data")
    power.cut(tmp_path / "data")
    assert contents(tmp_path / "data") == {"key": b"made"}


def test_of_two_who_make_a_key_at_once_the_first_wins(tmp_path: Path) -> None:
    path = tmp_path / "key"

    def second() -> bytes:
        assert durable.keep(path, lambda: b"first") == b"first"
        return b"second"

    assert durable.keep(path, second) == b"first"
    assert contents(tmp_path) == {"key": b"first"}


def test_installed_adaptor_is_whole_after_a_power_cut(tmp_path: Path) -> None:
    power = PowerCut(tmp_path / "synced")
    script = """
import sys
from pathlib import Path
from holdfast import durable
from holdfast.adaptors.installer import place
from holdfast.adaptors.record import Record
root = Path(sys.argv[1])
durable.make_folder(root)
for text in ("first", "second"):
    work = root / ".tmp" / text / "new"
    (work / "node_modules" / "probe" / "lib").mkdir(parents=True)
    for name in ("package.json", "lib/index.js"):
        (work / "node_modules" / "probe" / name).write_text(text)
    record = Record("@openfn/probe", "1.0.0", "lib/index.js", (), 1, "sha256-0", 2, 9, 0.0, "")
    record.write(work)
    place(work, root, record)
"""
    run(power, script, tmp_path / "store")
    placed = tmp_path / "store" / "@openfn"
    before = contents(placed)
    assert len(before) == 3
    power.cut(tmp_path / "store")
    assert contents(placed) == before


@pytest.mark.parametrize(("mode", "umask"), [(0o600, 0o000), (0o644, 0o077), (0o444, 0o027)])
def test_mode_is_as_said_whatever_the_umask(mode: int, umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        durable.write(tmp_path / "file", b"text", mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_folder_is_private(tmp_path: Path) -> None:
    durable.make_folder(tmp_path / "a")
    durable.make_folder(tmp_path / "a")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    durable.write(tmp_path / "file", b"old")
    script = """
import resource, sys
from pathlib import Path
from holdfast import durable
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    durable.write(Path(sys.argv[1]) / "file", b"new" * 10)
except OSError:
    sys.exit(0)
sys.exit("nothing was raised")
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=60)
    assert contents(tmp_path) == {"file": b"old"}
