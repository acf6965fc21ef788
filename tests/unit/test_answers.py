"""Every module is answered by a test module: one of its own name, or the one in `answers.toml`.

A test module of the own name counts when it stands in a folder that is called like one of the
module's rooms: `component/platform/test_queue.py` answers for `platform/store/queue.py`.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import holdfast

SOURCE = Path(holdfast.__file__).parent
TESTS = Path(__file__).parents[1]
#: Room -> module -> test module.
LISTED: dict[str, dict[str, str]] = tomllib.loads((TESTS / "answers.toml").read_text())


def modules() -> list[Path]:
    """All modules with something to test, below the package.

    What a script writes is held by the test of that script (`component/platform/test_client.py`).
    """
    found = [
        path for path in SOURCE.rglob("*.py") if "Written by scripts/" not in path.read_text()
    ]
    below = (path.relative_to(SOURCE) for path in found)
    return [p for p in below if not p.name.startswith("__") and "migrations" not in p.parts]


def answered_by_name(module: Path) -> bool:
    rooms = set(module.parent.parts) or {"unit"}
    tests = TESTS.rglob(f"test_{module.stem}.py")
    return any(rooms & set(path.relative_to(TESTS).parent.parts) for path in tests)


def listed(module: Path) -> str | None:
    room = "" if module.parent == Path() else module.parent.as_posix()
    return LISTED.get(room, {}).get(module.stem)


def test_every_module_is_answered_by_a_test_module() -> None:
    silent = [str(m) for m in modules() if not answered_by_name(m) and listed(m) is None]
    assert silent == [], "write a test module of this name, or a line in tests/answers.toml"


def test_every_line_names_a_module_without_an_own_test_module_and_a_test_that_exists() -> None:
    known = {m.with_suffix("").as_posix(): m for m in modules()}
    for room, lines in LISTED.items():
        for name, answer in lines.items():
            module = known[f"{room}/{name}" if room else name]
            assert not answered_by_name(module), f"{module} needs no line any more"
            assert (TESTS / answer).is_file(), answer
