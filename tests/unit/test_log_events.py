"""The list of log events is what the code writes: names, levels, keys."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import holdfast
from holdfast.log import LEVELS
from holdfast.log_events import EVENTS

ROOT = Path(holdfast.__file__).parent
#: Function of `log` -> the level of its lines, and the keys that it adds.
FUNCTIONS = {
    **{level: (level, set[str]()) for level in ("debug", "info", "warn", "error")},
    "failure": ("error", {"why", "trace"}),
}
#: Events that are given a whole record: their keys are those of the record.
WHOLE_RECORDS = {"delivery.incomplete"}


def process_of(path: Path) -> str:
    room = path.relative_to(ROOT).parts[0]
    if room in {"engine", "sandbox"}:
        return "supervisor"
    return {"worker": "agent", "log_libraries.py": "agent, platform"}.get(room, room)


def written() -> dict[str, set[tuple[str, str, frozenset[str]]]]:
    """Event -> process, level and keys of each place that writes it."""
    found: dict[str, set[tuple[str, str, frozenset[str]]]] = defaultdict(set)
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(ast.Attribute(ast.Name("log"), name), [event, *_], keywords) if (
                    name in FUNCTIONS
                ):
                    assert isinstance(event, ast.Constant), f"{path}: the name is not written out"
                    level, further = FUNCTIONS[name]
                    keys = {word.arg for word in keywords if word.arg} | further
                    found[str(event.value)].add((process_of(path), level, frozenset(keys)))
    return found


def test_every_event_in_the_code_is_listed_as_it_is_written() -> None:
    listed = {(event.name, event.process): event for event in EVENTS}
    for name, places in written().items():
        for process, level, keys in places:
            event = listed[name, process]
            assert event.level == level, name
            if name in WHOLE_RECORDS:
                assert keys <= set(event.keys), name
            else:
                assert keys == set(event.keys), name


def test_every_listed_event_is_written_somewhere() -> None:
    in_code = {(name, process) for name, places in written().items() for process, *_ in places}
    assert {(event.name, event.process) for event in EVENTS} == in_code


def test_every_event_names_its_object_and_what_happened() -> None:
    for event in EVENTS:
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+", event.name)
        assert event.level in LEVELS
        assert event.meaning.endswith(".")
    assert len({(event.name, event.process) for event in EVENTS}) == len(EVENTS)


def test_only_the_bridge_to_libraries_uses_logging() -> None:
    for path in ROOT.rglob("*.py"):
        imports = re.findall(r"^(?:import|from) (\w+)", path.read_text(), re.MULTILINE)
        assert "logging" not in imports or path.name == "log_libraries.py", path
