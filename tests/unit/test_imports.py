"""The import rule of the house (`docs/design.md`): a package imports only those above it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import holdfast

ROOT = Path(holdfast.__file__).parent
ORDER = [
    "model",
    "protocol",
    "compiler",
    "journal",
    "sandbox",
    "adaptors",
    "engine",
    "worker",
    "platform",
    "cli",
    "testing",
]
PURE = {"model", "protocol", "compiler"}
#: Modules whose presence means I/O, a process, or a clock.
IMPURE = {
    "asyncio", "anyio", "fcntl", "httpx", "multiprocessing", "os", "pathlib", "select", "shutil",
    "signal", "socket", "sqlalchemy", "sqlite3", "starlette", "subprocess", "tempfile",
    "threading", "time", "uvicorn", "websockets",
}  # fmt: skip
#: For everybody; they import nothing of ours.
EVERYWHERE = {"holdfast.testing.faults", "holdfast.paths"}
#: Loaded into the supervisor and every shim, so standard library only.
STDLIB_ONLY = [
    "journal", "sandbox", "engine/supervisor.py", "engine/shim.py", "engine/frames.py",
    "engine/config.py", "engine/coroner.py", "engine/host.py", "engine/request.py",
    "engine/shim_clients.py", "engine/shim_egress.py", "engine/shim_loop.py",
    "engine/shim_outcome.py", "engine/shim_pipes.py", "engine/shim_processes.py",
    "engine/shim_recorder.py", "engine/shim_run.py", "engine/shim_standby.py",
    "engine/shim_walls.py", "engine/shim_watch.py",
]  # fmt: skip
THIRD_PARTY = {
    "alembic", "anyio", "click", "cryptography", "httpx", "jinja2", "jwt", "sqlalchemy",
    "starlette", "tree_sitter", "uvicorn", "websockets", "yaml",
}  # fmt: skip


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules(folder: str) -> list[Path]:
    path = ROOT / folder
    return [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))


@pytest.mark.parametrize("package", ORDER)
def test_package_imports_only_those_above_it(package: str) -> None:
    allowed = set(ORDER[: ORDER.index(package) + 1])
    for path in modules(package):
        for name in imports(path):
            if not name.startswith("holdfast.") or name.startswith("holdfast.__"):
                continue
            if any(name.startswith(item) for item in EVERYWHERE):
                continue
            assert name.split(".")[1] in allowed, f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("package", sorted(PURE))
def test_pure_packages_do_no_io(package: str) -> None:
    for path in modules(package):
        used = {name.split(".")[0] for name in imports(path)} & IMPURE
        assert not used, f"{path.relative_to(ROOT)} imports {used}"


@pytest.mark.parametrize("place", STDLIB_ONLY)
def test_what_supervises_uses_the_standard_library_only(place: str) -> None:
    for path in modules(place):
        if path.exists():
            used = {name.split(".")[0] for name in imports(path)} & THIRD_PARTY
            assert not used, f"{path.relative_to(ROOT)} imports {used}"


def test_every_package_of_the_house_exists() -> None:
    assert {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()} == set(ORDER)
