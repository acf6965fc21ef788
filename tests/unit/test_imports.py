"""The import rule of the house (`docs/design.md` section 3): which room may import which.

A room is a folder of `src/holdfast` that holds modules. Every room has a row here; a room without
a row fails, so that a moved or renamed file cannot lose its check.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import holdfast

ROOT = Path(holdfast.__file__).parent
#: room -> the rooms that it may import, besides itself and the front, which is "".
ENGINE = "model journal sandbox engine"
PLATFORM = "model platform platform/store"
MAY_IMPORT: dict[str, str] = {
    "": "model",
    "model": "",
    "model/answers": "model",
    "diagnosis": "model",
    "protocol": "model",
    "compiler": "model diagnosis",
    "journal": "model",
    "sandbox": "model",
    "adaptors": "model compiler sandbox",
    "engine": "model journal sandbox diagnosis engine/run engine/zygote",
    "engine/run": "model compiler engine",
    "engine/shim": f"{ENGINE} compiler engine/run engine/zygote diagnosis",
    "engine/zygote": f"{ENGINE} engine/run engine/shim",
    "engine/supervisor": f"{ENGINE} engine/run engine/shim engine/zygote",
    "worker": "model protocol journal sandbox",
    "worker/outbox": "model protocol journal engine worker",
    "worker/run": f"{ENGINE} protocol adaptors engine/supervisor worker worker/outbox",
    "worker/agent": f"{ENGINE} engine/zygote protocol adaptors worker worker/run",
    "platform": f"{PLATFORM} journal sandbox adaptors platform/access platform/api"
    " platform/chores platform/collections platform/deploy platform/secrets platform/start"
    " platform/web"
    " platform/workers",
    "platform/project": "model sandbox",
    "platform/secrets": "model adaptors",
    "platform/store": "model protocol platform platform/access platform/project platform/secrets",
    "platform/store/migrations": "platform/store",
    "platform/store/migrations/versions": "",
    "platform/access": f"{PLATFORM} protocol",
    "platform/workers": f"{PLATFORM} protocol",
    "platform/deploy": f"{PLATFORM} platform/project platform/access",
    "platform/start": f"{PLATFORM} adaptors platform/project platform/access platform/secrets",
    "platform/chores": PLATFORM,
    "platform/causes": f"{PLATFORM} platform/secrets diagnosis",
    "platform/collections": f"{PLATFORM} protocol platform/access platform/api platform/chores",
    "platform/api": f"{PLATFORM} model/answers platform/access platform/causes platform/chores"
    " platform/deploy platform/project platform/secrets platform/start",
    "platform/web": f"{PLATFORM} platform/access platform/causes platform/chores"
    " platform/collections"
    " platform/deploy platform/project platform/secrets platform/start diagnosis journal bench",
    "checking": "model compiler diagnosis adaptors engine/run",
    "client": "model model/answers",
    "testing": "model protocol",
    "bench": f"{ENGINE} adaptors diagnosis",
    "cli": f"{ENGINE} bench checking diagnosis protocol compiler adaptors engine/run"
    " engine/supervisor worker platform platform/access platform/project",
}
#: Rooms of values and rules: no clock, no file, no process, no socket.
PURE = ["model", "model/answers", "protocol", "compiler", "diagnosis"]
#: Modules whose presence means I/O, a process, or a clock.
IMPURE = {
    "asyncio", "anyio", "fcntl", "httpx", "multiprocessing", "os", "pathlib", "select", "shutil",
    "signal", "socket", "sqlalchemy", "sqlite3", "starlette", "subprocess", "tempfile",
    "threading", "time", "uvicorn", "websockets",
}  # fmt: skip
#: Names of tables and statements: known to platform/store alone.
DATABASE = {"alembic", "sqlalchemy", "sqlite3"}
#: Loaded into the supervisor and into every shim: standard library only.
STDLIB_ONLY = [
    "",
    "model",
    "diagnosis",
    "journal",
    "sandbox",
    "engine",
    "engine/shim",
    "engine/supervisor",
    "engine/zygote",
]
#: Rooms that the design names with the room above them.
UNDESCRIBED = {"", "platform/store/migrations", "platform/store/migrations/versions"}
#: Reads the library's version, which is a name of our own package.
OURS = {"holdfast"}


def rooms() -> list[str]:
    """Every folder below the package that holds Python modules; the package itself is ""."""
    found = {path.parent.relative_to(ROOT) for path in ROOT.rglob("*.py")}
    return sorted("" if room == Path() else room.as_posix() for room in found)


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).glob("*.py"))


def imported(path: Path) -> set[str]:
    """Dotted names of all that a module imports, also inside its functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(name: str) -> str:
    """The room of a dotted name of ours: the longest leading part that is a folder."""
    parts = name.split(".")[1:]
    while parts and not (ROOT.joinpath(*parts) / "__init__.py").exists():
        parts.pop()
    return "/".join(parts)


def test_every_room_has_a_row_and_every_row_a_room() -> None:
    assert set(rooms()) == set(MAY_IMPORT)


def test_the_design_says_what_each_room_is_for() -> None:
    page = (ROOT.parents[1] / "docs" / "design.md").read_text()
    described = {room for room in rooms() if f"`{room}/`" in page}
    assert set(rooms()) - described == UNDESCRIBED


@pytest.mark.parametrize("room", rooms())
def test_room_imports_only_what_its_row_allows(room: str) -> None:
    allowed = {room, *MAY_IMPORT[room].split()}
    if room not in PURE:  # the front writes logs and files
        allowed.add("")
    for path in modules(room):
        for name in imported(path):
            if name.split(".")[0] == "holdfast":
                assert room_of(name) in allowed, f"{path.relative_to(ROOT)} imports {name}"


def test_only_the_store_imports_the_database_library() -> None:
    elsewhere = [room for room in rooms() if not room.startswith("platform/store")]
    for path in (path for room in elsewhere for path in modules(room)):
        used = {name.split(".")[0] for name in imported(path)} & {
            "alembic",
            "sqlalchemy",
            "sqlite3",
        }
        assert not used, f"{path.relative_to(ROOT)} imports {used}: ask platform/store"


@pytest.mark.parametrize("room", PURE)
def test_pure_rooms_do_no_io(room: str) -> None:
    for path in modules(room):
        used = {name.split(".")[0] for name in imported(path)} & IMPURE
        assert not used, f"{path.relative_to(ROOT)} imports {used}"


@pytest.mark.parametrize("room", STDLIB_ONLY)
def test_supervising_rooms_import_the_standard_library_only(room: str) -> None:
    for path in modules(room):
        used = {name.split(".")[0] for name in imported(path)}
        foreign = used - sys.stdlib_module_names - OURS
        assert not foreign, f"{path.relative_to(ROOT)} imports {foreign}"


def test_started_supervisor_has_loaded_the_standard_library_only(tmp_path: Path) -> None:
    script = f"""
import sys
before = set(sys.modules)  # what the interpreter's own start brings, such as a virtual environment
import json
from pathlib import Path
from holdfast.engine.config import EngineConfig
from holdfast.engine.supervisor.supervisor import Supervisor, prepare_folders
config = EngineConfig(Path({str(tmp_path)!r}), Path({str(tmp_path / "engine.sock")!r}))
prepare_folders(config)
Supervisor(config)
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert "holdfast" in loaded
    loaded = {name for name in loaded if not name.startswith("_sysconfigdata")}
    assert loaded - sys.stdlib_module_names - OURS == set()
