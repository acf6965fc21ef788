"""The line that was running: from what Node.js writes, and from the plan."""

from __future__ import annotations

import json
from pathlib import Path

from holdfast.compiler import Source, compile_job
from holdfast.engine.run.compile_process import module_frames
from holdfast.engine.shim.author_lines import AuthorLines
from holdfast.engine.shim.hot import MARK, hot_line, place_in, without_stack

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


def as_written() -> AuthorLines:
    """Of a step that came compiled: its lines are the plan's."""
    lines = AuthorLines()
    lines.learn(b'{"index": 1, "step": "a", "bytes": 5}\nabcde')
    return lines


def test_the_innermost_frame_of_the_author_counts() -> None:
    assert place_in(STACK) == (3, 12)
    assert place_in("    at vm:module(0):99:1") is None, "only behind the mark"
    assert place_in(f"{MARK}\n    at other (file.js:1:1)") is None


def test_the_stack_is_no_word_of_the_run() -> None:
    assert without_stack(STACK) == "a library said this\n    at vm:module(0):99:1\n"
    assert without_stack("as it is") == "as it is"


def test_the_line_is_shown_without_secrets(tmp_path: Path) -> None:
    path = plan(tmp_path, "one\ntwo\n  while (key !== 's3cret') {\n}")
    clean = lambda text: text.replace("s3cret", "***")  # noqa: E731
    found = hot_line(STACK, path, "a", clean, as_written())
    assert found == {"line": 3, "column": 3, "src": "  while (key !== '***') {"}
    path = plan(tmp_path, f"one\ntwo\n{'x' * 497}s3cret")
    assert hot_line(STACK, path, "a", clean, as_written())["src"] == "x" * 497 + "***"


def test_without_a_line_of_the_author_there_is_none(tmp_path: Path) -> None:
    assert hot_line(STACK, plan(tmp_path, "one"), "a", same, as_written()) == {}
    assert hot_line(STACK, plan(tmp_path, None), "a", same, as_written()) == {}
    assert hot_line(STACK, plan(tmp_path, "1\n2\n3"), "a", same, AuthorLines()) == {}
    assert hot_line("", tmp_path / "nowhere", "a", same, as_written()) == {}


def test_lines_that_the_compiler_moved_are_those_of_the_author() -> None:
    code = (
        "fn(state => {\n  return state;\n});\n"
        "function more(n) {\n  while (true) n += 1;\n}\nfn(state => more(1));\n"
    )
    job = compile_job(Source(code), [], name="a")
    text = b"".join(job.code_pieces()).decode("latin-1")
    before = text[: text.index("while (true)")]
    place = before.count("\n") + 1, len(before) - before.rfind("\n")
    assert place[0] != 5, "it was moved"
    lines = AuthorLines()
    for body in module_frames(
        0, {"id": "other"}, compile_job(Source("fn(s => s);"), [], name="b")
    ):
        lines.learn(body)
    for body in module_frames(1, {"id": "a"}, job):
        lines.learn(body)
    assert lines.of(1, *place) == 5
    assert lines.of(2, 1, 1) is None


def test_frames_of_no_form_teach_nothing() -> None:
    for body in (b"{", b'{"index": 0}\n', b'{"index": 0, "bytes": 2, "parts": [2]}\n[]'):
        lines = AuthorLines()
        lines.learn(body)
        lines.learn(b'{"index": 0, "bytes": 1}\nx') if body == b"{" else None
        assert lines.of(0, 1, 1) is None
