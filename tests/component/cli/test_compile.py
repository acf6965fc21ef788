"""`holdfast compile` as a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from holdfast.cli.compile import compile_command
from holdfast.model.errors import UsageError


def command(*arguments: str | Path, text: str | None = None) -> Result:
    runner = CliRunner()
    return runner.invoke(compile_command, [str(item) for item in arguments], input=text)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "job.js"
    path.write_text("const a = 1;\nget($.url).then(each);\nfn(a);\n")
    return path


def test_the_module_is_shown(job: Path, tmp_path: Path) -> None:
    done = command(job, "--exports", "http=get,fn", "--store", tmp_path / "none")
    assert done.exit_code == 0
    assert done.stdout == (
        'import { get, fn } from "@openfn/language-http"; export * from "@openfn/language-http"; '
        'import { defer as _defer } from "@openfn/runtime"; const a = 1;\n'
        "export default [_defer(get(state => (state.url)), p => p.then(each)),\nfn(a)];\n\n"
    )


def test_exports_nobody_knows_are_guessed(job: Path, tmp_path: Path) -> None:
    done = command(job, "-a", "http@1.0.0", "--store", tmp_path / "none")
    assert "import { get, each, fn }" in done.stdout
    assert "not installed" in done.stderr


def test_the_report_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "big.js"
    data = json.dumps({str(n): "x" * 100 for n in range(5000)}, indent=1)
    path.write_text(f"const mappings = {data};\nfn(s => s);\n")
    done = command(path, "--report")
    assert done.exit_code == 0
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("mappings ")]
    assert line.split() == ["mappings", f"{len(data) / 1000:.0f}", "KB", "1", "1–5002"]
    assert "Collection" in done.stdout
    known = json.loads(command(path, "--json").stdout)
    assert known["report"]["data_bytes"] == len(data)
    assert data in known["code"]


def test_a_syntax_error_is_shown_where_it_is() -> None:
    done = command("-", text="fn(1);\nfn(2 3);\n")
    assert isinstance(done.exception, UsageError)
    assert done.exception.message == ("job: missing ) after argument list (2:4)\nfn(2 3);\n   ^")


def test_bad_options_are_explained(job: Path) -> None:
    done = command(job, "--exports", "nothing")
    assert isinstance(done.exception, UsageError)
