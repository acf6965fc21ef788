"""The line that was running: from what Node.js writes, and from the plan."""

from __future__ import annotations

import json
from pathlib import Path

from holdfast.engine.shim.hot import MARK, hot_line, line_in, without_stack

STACK = f"""a library said this
    at vm:module(0):99:1
{MARK}
    at lodash (/x/node_modules/lodash/index.js:7:1)
    at sum (vm:module(0):3:12)
    at vm:module(0):5:1
"""


def same(text: str) -> str:
    return text


def plan(folder: Path, code: object) -> Path:
    path = folder / "plan.json"
    steps = [{"id": "other", "expression": "x"}, {"id": "a", "expression": code}]
    path.write_text(json.dumps({"workflow": {"steps": steps}}))
    return path


def test_the_innermost_frame_of_the_author_counts() -> None:
    assert line_in(STACK) == 3
    assert line_in("    at vm:module(0):99:1") is None, "only behind the mark"
    assert line_in(f"{MARK}\n    at other (file.js:1:1)") is None


def test_the_stack_is_no_word_of_the_run() -> None:
    assert without_stack(STACK) == "a library said this\n    at vm:module(0):99:1\n"
    assert without_stack("as it is") == "as it is"


def test_the_line_is_shown_without_secrets(tmp_path: Path) -> None:
    path = plan(tmp_path, "one\ntwo\n  while (key !== 's3cret') {\n}")
    found = hot_line(STACK, path, "a", lambda text: text.replace("s3cret", "***"))
    assert found == {"line": 3, "column": 3, "src": "  while (key !== '***') {"}


def test_a_line_that_the_plan_does_not_have(tmp_path: Path) -> None:
    assert hot_line(STACK, plan(tmp_path, "one"), "a", same) == {"line": 3}
    assert hot_line(STACK, plan(tmp_path, None), "a", same) == {"line": 3}
    assert hot_line("", tmp_path / "nowhere", "a", same) == {}
