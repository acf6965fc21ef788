"""Adaptors as a job sees them: formats, versions, what may be imported, how they fail."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from conformance.direct import Ended
from holdfast.model.record import Kind
from support.jobs import job, lines, one, run

NAME = "@openfn/language-demo"


def adaptor(folder: Path, version: str, files: dict[str, str]) -> dict[str, Any]:
    """An adaptor in a folder, as OPTIONS describe it. The first file is its entry."""
    home = folder / version / "node_modules" / NAME
    home.mkdir(parents=True)
    (home / "package.json").write_text(json.dumps({"name": NAME, "version": version}))
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    return {"name": NAME, "version": version, "path": str(home), "entry": next(iter(files))}


def use(place: dict[str, Any], code: str, **more: Any) -> Ended:
    specifier = f"{NAME}@{place['version']}"
    return run(job(code, adaptors=[specifier]), options={"adaptors": {specifier: place}}, **more)


def output(ended: Ended) -> Any:
    return ended.document(one(ended, Kind.STEP_COMPLETE)["output"])


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("i.mjs", "export const a = 1; export const b = () => 2;"),
        ("i.cjs", "exports.a = 1; exports.b = () => 2;"),
        ("i.cjs", "module.exports = { a: 1, b: () => 2 };"),
        (
            "i.cjs",
            "exports.__esModule = true; exports.default = { a: 1, b: () => 2, default: 1 };",
        ),
        ("i.mjs", "export default { a: 1, b: () => 2 };"),
    ],
)
def test_names_are_found_in_every_format(tmp_path: Path, entry: str, text: str) -> None:
    code = f"import {{ a, b }} from '{NAME}'; export default [s => ({{ data: [a, b()] }})]"
    assert output(use(adaptor(tmp_path, "1.0.0", {entry: text}), code)) == {"data": [1, 2]}


def test_two_versions_in_one_workflow(tmp_path: Path) -> None:
    places = {
        f"{NAME}@{version}": adaptor(
            tmp_path, version, {"i.mjs": f"export const v = '{version}'; export let n = 0;"}
        )
        for version in ("1.0.0", "2.0.0")
    }
    code = (
        f"import {{ v }} from '{NAME}'; export default [s => ({{ data: [].concat(s.data, v) }})]"
    )
    ended = run(
        {"id": "a", "expression": code, "adaptors": [f"{NAME}@1.0.0"], "next": {"b": True}},
        {"id": "b", "expression": code, "adaptors": [f"{NAME}@2.0.0"]},
        options={"adaptors": places},
        input_text='{"data":[]}',
    )
    assert ended.document(one(ended, Kind.RESULT)["final_state"]) == {"data": ["1.0.0", "2.0.0"]}
    assert [f"Resolved adaptor {NAME} to version 2.0.0"] in lines(ended, "R/T")


@pytest.mark.parametrize(("specifier", "version"), [(NAME, "10.0.0"), (f"{NAME}@9.0.0", "9.0.0")])
def test_a_step_may_import_what_only_another_step_uses(
    specifier: str, version: str, tmp_path: Path
) -> None:
    places = {
        f"{NAME}@{version}": adaptor(
            tmp_path, version, {"i.mjs": f"export const v = '{version}';"}
        )
        for version in ("9.0.0", "10.0.0", "10.0.0-beta.1")
    }
    code = f"import {{ v }} from '{specifier}'; export default [s => ({{ data: v }})]"
    assert output(run(job(code), options={"adaptors": places})) == {"data": version}


def test_a_version_that_no_step_uses_is_not_found(tmp_path: Path) -> None:
    place = adaptor(tmp_path, "1.0.0", {"i.mjs": "export const v = 1;"})
    ended = run(
        job(f"import {{ v }} from '{NAME}@2.0.0'; export default []"),
        options={"adaptors": {f"{NAME}@1.0.0": place}},
    )
    assert one(ended, Kind.RUN_ERROR)["error_message"] == f'Failed to import module "{NAME}@2.0.0"'


def test_an_adaptor_that_the_workflow_does_not_name_is_not_found() -> None:
    """The reference allows all names under @openfn/, so its words are those of a missing file."""
    error = one(run(job("import x from '@openfn/x'; export default []")), Kind.RUN_ERROR)
    assert error["error_message"] == 'Failed to import module "@openfn/x"'


@pytest.mark.parametrize("specifier", ["fs", "node:fs", "lodash", "./x.mjs", "/etc/x.js"])
def test_only_adaptors_may_be_imported(specifier: str) -> None:
    error = one(run(job(f"import x from '{specifier}'; export default []")), Kind.RUN_ERROR)
    assert error["error_type"] == "ImportError"
    assert error["error_message"] == f"module blacklisted: {specifier}"


def test_the_runtime_lends_its_promise_helper_and_nothing_else() -> None:
    code = (
        "import * as all from '@openfn/runtime';export default [s => ({ data: Object.keys(all) })]"
    )
    assert output(run(job(code))) == {"data": ["defer"]}


def test_an_import_without_extension_inside_an_adaptor(tmp_path: Path) -> None:
    files = {"i.mjs": "export { v } from './lib/part';", "lib/part.js": "exports.v = 7;"}
    code = f"import {{ v }} from '{NAME}'; export default [s => ({{ data: v }})]"
    assert output(use(adaptor(tmp_path, "1.0.0", files), code)) == {"data": 7}


def test_an_adaptor_that_cannot_be_loaded_says_which_and_why(tmp_path: Path) -> None:
    place = adaptor(tmp_path, "1.0.0", {"i.mjs": "throw new Error('broken build');"})
    error = one(use(place, f"import '{NAME}'; export default []"), Kind.RUN_ERROR)
    assert error["error_type"] == "ImportError"
    assert error["error_message"].startswith(f"Failed to import module {NAME} from ")
    assert error["error_message"].endswith("(broken build)")


def test_an_adaptor_error_keeps_what_the_adaptor_says(tmp_path: Path) -> None:
    text = """export const get = () => () => {
        const error = new Error('404'); error.statusCode = 404;
        error.self = error; throw error; };"""
    place = adaptor(tmp_path, "1.0.0", {"i.mjs": text})
    ended = use(place, f"import {{ get }} from '{NAME}'; export default [get()]")
    complete = one(ended, Kind.STEP_COMPLETE)
    assert (complete["reason"], complete["error_type"]) == ("fail", "AdaptorError")
    assert output(ended)["errors"]["a"]["details"] == {
        "message": "404",
        "statusCode": 404,
        "self": "[Circular]",
    }


def test_the_authors_frame_is_found_below_many_of_the_adaptors(tmp_path: Path) -> None:
    text = """const go = (n) => { if (n === 0) throw new Error('deep'); return go(n - 1); };
        export const dig = () => (state) => go(20);
        export const fn = (f) => (state) => f(state);"""
    place = adaptor(tmp_path, "1.0.0", {"i.mjs": text})
    code = f"import {{ dig, fn }} from '{NAME}';\nexport default [fn(s => dig()(s))]"
    complete = one(use(place, code), Kind.STEP_COMPLETE)
    assert complete["error_type"] == "AdaptorError"
    assert complete["position"] == {"line": 2, "column": 30}


@pytest.mark.parametrize("call", ["process.exit(42)", "process.reallyExit(42)"])
def test_an_adaptor_that_exits_ends_the_run_truthfully(tmp_path: Path, call: str) -> None:
    place = adaptor(
        tmp_path, "1.0.0", {"i.mjs": f"export const exit = () => () => {{ {call}; }};"}
    )
    ended = use(place, f"import {{ exit }} from '{NAME}'; export default [exit()]")
    error = one(ended, Kind.RUN_ERROR)
    assert ended.code == 42
    assert (error["error_type"], error["severity"], error["step"]) == ("ExitError", "crash", "a")
    assert error["error_message"] == "Worker thread exited with code: 42"
    assert one(ended, Kind.STEP_COMPLETE)["reason"] == "crash"


def test_replaced_built_ins_of_the_host_do_not_change_what_is_sent(tmp_path: Path) -> None:
    text = """import fs from 'node:fs';
        fs.writeSync = () => 0; JSON.stringify = () => '{}';
        TextEncoder.prototype.encodeInto = null;
        performance.now = () => 0; Date.now = () => 0;
        export const fn = (f) => f;"""
    place = adaptor(tmp_path, "1.0.0", {"i.mjs": text})
    ended = use(place, f"import {{ fn }} from '{NAME}'; export default [fn(s => ({{ data: 1 }}))]")
    assert output(ended) == {"data": 1}
    assert len(one(ended, Kind.RESULT)["timestamp"]) == 16


GONE = "state.constructor.constructor(\"process.kill(process.pid, 'SIGKILL')\")()"
LAST_WORDS = [
    (f"{GONE}; export default []", f"Resolved adaptor {NAME} to version 1.0.0"),
    (f"export default [() => ({{ toJSON() {{ {GONE}; }} }})]", "a completed in "),
]


@pytest.mark.parametrize(("code", "last"), LAST_WORDS)
def test_what_was_said_before_the_authors_code_runs_is_not_lost_with_it(
    tmp_path: Path, code: str, last: str
) -> None:
    place = adaptor(tmp_path, "1.0.0", {"i.mjs": "export const v = 1;"})
    ended = use(place, f"import {{ v }} from '{NAME}'; {code}")
    assert ended.code == -signal.SIGKILL
    assert lines(ended, "R/T")[-1][0].startswith(last)
