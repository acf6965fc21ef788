"""Joining an adaptor into one file, and when not to, with the real esbuild."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.adaptors import AutoinstallError, InstalledAdaptor, Store, node_binary, walled
from holdfast.adaptors import flatten as flatten_module
from holdfast.adaptors.code_cache import made_for
from holdfast.adaptors.errors import StoreError
from holdfast.adaptors.flatten import ESBUILD, LOADER, SUFFIX, Flattener, NotFlatError
from holdfast.adaptors.record import read_record
from holdfast.model.json import JsonObject
from holdfast.sandbox import v8
from holdfast.sandbox.probe import FIRST_USER
from support.adaptors import COMMON, REAL
from support.registry import serve
from support.runs import Runs


@pytest.fixture(scope="module")
async def flattener(adaptor_store: Store) -> Flattener:
    tools = Store(adaptor_store.root / ".tools", flatten=False)
    await tools.ensure([ESBUILD])
    return Flattener(tools)


def package(folder: Path, files: dict[str, str], entry: str = "index.js") -> Path:
    root = folder / "node_modules" / "probe"
    manifest = {"name": "probe", "version": "1.0.0", "type": "module", "main": entry}
    for name, text in ({"package.json": json.dumps(manifest)} | files).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


async def flatten(flattener: Flattener, root: Path, entry: str = "index.js") -> str:
    return await flattener.flatten(root.parents[1], root, entry)


def evaluate(file: Path, expression: str) -> str:
    """What an expression with the loaded file as `it` prints."""
    path, loader = json.dumps(str(file)), json.dumps(str(LOADER))
    load = f"await import({path})"
    if file.name.endswith(SUFFIX):
        load = f"(await import({loader})).evaluate({path}).namespace"
    code = f"const it = {load}; console.log({expression})"
    command = [str(node_binary()), "--input-type=module", "-e", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_every_real_adaptor_is_one_file_that_works_alone(
    adaptor_store: Store, real_adaptors: dict[str, InstalledAdaptor], tmp_path: Path
) -> None:
    assert len(real_adaptors) == len(REAL)
    for adaptor in real_adaptors.values():
        assert read_record(adaptor_store.folder_of(adaptor)).not_flat == ""
        lonely = tmp_path / f"{adaptor.name.rpartition('/')[2]}{SUFFIX}"
        shutil.copyfile(adaptor.path / adaptor.entry, lonely)
        # `metadata` is declared by common and not there at run time (docs/spec/compiler.md 11).
        names = set(evaluate(lonely, "Object.keys(it).join()").split(","))
        assert names >= set(adaptor.exports) - {"metadata"}


async def test_a_joined_adaptor_leaves_its_dependencies_and_comes_back_as_npm_has_it(
    adaptor_store: Store, flattener: Flattener, tmp_path: Path
) -> None:
    name = "@openfn/language-probe"
    with serve() as registry:
        legal = {"LICENSE.md": "terms", "deep/part.js": "exports.part = 41;"}
        helper = {**legal, "index.js": "exports.n = require('./deep/part.js').part + 1;"}
        registry.publish("helper", "1.0.0", files=helper)
        index = "import helper from 'helper'; export const answer = helper.n;"
        registry.publish(
            name,
            "1.0.0",
            files={"index.js": index},
            type="module",
            dependencies={"helper": "1.0.0"},
        )
        environment = registry.environment(str(tmp_path))
        root = tmp_path / "store"
        root.mkdir()
        (root / ".tools").symlink_to(adaptor_store.root / ".tools")
        joined = await ensure_one(Store(root, environment=environment), name)
        assert joined.entry == "index.holdfast.cjs"
        assert evaluate(joined.path / joined.entry, "it.answer") == "42"
        kept = joined.path.parents[1] / "helper"
        assert sorted(path.name for path in kept.iterdir()) == ["LICENSE.md", "package.json"]
        assert sorted(path.name for path in joined.path.iterdir()) == [
            "index.holdfast.cjs", "index.holdfast.cjs.cache", "index.js", "package.json",
        ]  # fmt: skip

        plain = await ensure_one(Store(root, environment=environment, flatten=False), name)
    assert plain.entry == "index.js"
    assert evaluate(plain.path / plain.entry, "it.answer") == "42"
    assert await ensure_one(Store(root, environment={}), name) == plain


async def ensure_one(store: Store, name: str) -> InstalledAdaptor:
    return (await store.ensure([f"{name}@1.0.0"]))[f"{name}@1.0.0"]


async def test_dynamic_and_commonjs_parts_are_joined(flattener: Flattener, tmp_path: Path) -> None:
    root = package(
        tmp_path,
        {
            "index.js": """
                import { name, loose } from './old.cjs';
                import data from './data.json' with { type: 'json' };
                export { name, loose };
                export const later = () => import('./late.js');
                export default { data };
                export class Odd extends Error {}
            """,
            "old.cjs": """
                const { format } = require('node:util');
                exports.name = format('%s', 7);
                exports.types = module['require']('util').types;
                leaked = 1;
                exports.loose = (function () { return this !== undefined })();
            """,
            "late.js": "export const value = 'late';",
            "data.json": '{"facts": 42}',
        },
    )
    joined = root / await flatten(flattener, root)
    for gone in ("old.cjs", "late.js", "data.json"):
        (root / gone).unlink()
    assert evaluate(joined, "it.name, it.loose, it.default.data.facts, it.Odd.name") == (
        "7 true 42 Odd"
    )
    assert evaluate(joined, "(await it.later()).value") == "late"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("export const u = new URL('./x.txt', import.meta.url).href;", "depends on where it lies"),
        ("import * as m from 'node:module'; export const a = m.createRequire;", "depends on"),
        ("export const load = (name) => import(name);", "depends on where it lies"),
        ("export const a = 1; syntax error", "esbuild ended with 1"),
        ("export const a = await Promise.resolve(1);", "esbuild ended with 1"),
        ("import './not-there.js'; export const a = 1;", "esbuild ended with 1"),
        ("import '../../outside.js'; export const a = 1;", "outside of the adaptor's folder"),
        ("export const a = new Error().stack.includes('.holdfast.') ? 1 : 'one';", "something"),
        ("import { writeSync } from 'fs'; for (;;) writeSync(1, 'x'.repeat(9e4));", "without end"),
        ("throw new Error('on load'); export const a = 1;", "ended with 1"),
        ("globalThis[new Error().stack.includes('.holdfast.') ? 'x' : 'y'] = 1;", "something"),
    ],
)
async def test_what_could_behave_differently_stays_as_it_was(
    flattener: Flattener, tmp_path: Path, code: str, reason: str
) -> None:
    (tmp_path / "outside.js").write_text("")
    root = package(tmp_path / "inner", {"index.js": code})
    if "outside" in code:
        (root.parents[2] / "outside.js").write_text("")
        (root / "index.js").write_text(code.replace("../../outside", "../../../outside"))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(NotFlatError, match=reason):
        await flatten(flattener, root)
    assert sorted(tmp_path.rglob("*")) == before


async def test_a_commonjs_adaptor_keeps_its_files(flattener: Flattener, tmp_path: Path) -> None:
    root = package(tmp_path, {"index.cjs": "exports.a = 1;"})
    with pytest.raises(NotFlatError, match="not an ES module"):
        await flatten(flattener, root, "index.cjs")


def test_the_engine_takes_the_code_cache(runs: Runs) -> None:
    finished = runs.job("fn(s => s)", COMMON, job_log_level="debug")
    assert finished.outcome.reason == "success"
    lines = finished.log("R/T")
    assert any("[linker] loading module" in line for line in lines)
    assert not any("code cache" in line for line in lines)


async def test_code_that_is_loaded_for_comparison_is_inside_walls(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("worker secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"""
            import fs from 'node:fs';
            import net from 'node:net';
            import {{ execFileSync }} from 'node:child_process';
            const tried = (action) => {{
              try {{ action(); return false }} catch {{ return true }}
            }};
            const stopped = [
              tried(() => fs.readFileSync({json.dumps(str(secret))})),
              tried(() => fs.writeFileSync('left-behind.txt', 'x')),
              tried(() => execFileSync('/bin/true')),
              Object.keys(process.env).sort().join() === 'HOME,PATH',
              await new Promise((done) => {{
                const socket = net.connect({port}, '127.0.0.1', () => done(false));
                socket.on('error', () => done(true));
              }}),
            ];
            if (!stopped.every(Boolean)) throw new Error(stopped.join());
            export const fine = true;
        """
        root = package(tmp_path / "inner", {"index.js": code})
        script = LOADER.parents[2] / "adaptors" / "shape.mjs"
        walled = [sys.executable, "-m", "holdfast.adaptors.walled", str(root), str(script)]
        walled += [str(LOADER), str(root / "index.js")]
        inside = subprocess.run(walled, check=False, capture_output=True, text=True, cwd=root)
        assert '"fine"' in inside.stdout, inside.stderr
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
    # The same outside of the walls gets at everything: the test can fail.
    command = [str(node_binary()), str(root / "index.js")]
    outside = subprocess.run(command, check=False, capture_output=True, cwd=tmp_path)
    assert outside.returncode != 0
    assert (tmp_path / "left-behind.txt").exists()


PRIVATE = ["/etc/passwd", "/etc/ssl", "/dev", "/dev/shm", "/proc/net/tcp", "/root", "/tmp", "/"]


def test_the_kernel_keeps_what_is_loaded_from_everything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Node's own wall left out: what stands behind it."""
    look = "f => { try { const d = fs.statSync(f).isDirectory(); return d ? fs.readdirSync(f)"
    look += ".length : fs.readFileSync(f).length } catch (e) { return e.code } }"
    code = f"""
        import fs from 'node:fs';
        import {{ spawnSync }} from 'node:child_process';
        const status = fs.readFileSync('/proc/self/status', 'utf8');
        const capabilities = status.match(/^Cap(?:Inh|Prm|Eff|Bnd|Amb):.*[1-9a-f]/gm);
        const started = spawnSync(process.execPath, ['-v']).error?.code;
        let written; try {{ fs.writeFileSync('x', 'x'); }} catch (e) {{ written = e.code; }}
        const seen = {json.dumps(PRIVATE)}.map({look});
        console.log(JSON.stringify([process.getuid(), capabilities, started, written, seen]));
    """
    root = package(tmp_path, {"index.js": code})
    script = LOADER.parents[2] / "adaptors" / "shape.mjs"
    monkeypatch.setattr(walled, "_arguments", lambda _: [*v8.FLAGS, "--no-warnings"])
    ours, theirs = os.pipe()
    given = walled._descriptors() | {1: theirs}
    monkeypatch.setattr(walled, "_descriptors", lambda: given)
    walled.main(str(root), str(script), str(LOADER), str(root / "index.js"))
    os.close(theirs)
    os.close(given[0])
    with os.fdopen(ours) as answer:
        user, capabilities, started, written, seen = json.loads(answer.readline())
    assert capabilities is None
    assert started == "EPERM"
    assert written in ("EFBIG", "EROFS", "EACCES", "EPERM")
    assert not [place for place, got in zip(PRIVATE, seen, strict=True) if isinstance(got, int)]
    if os.geteuid() == 0:
        assert user >= FIRST_USER


@pytest.mark.parametrize(
    "answer", ["5", "[" * 3000, '{"names":{},"globals":[],"cache":"x"}', "\x1b]0;x\x07", "NaN"]
)
async def test_an_answer_that_the_adaptor_has_written_itself_is_no_fault_of_ours(
    flattener: Flattener, tmp_path: Path, answer: str
) -> None:
    code = f"process.stdout.write('\\n' + {json.dumps(answer)} + '\\n'); process.exit(0);"
    root = package(tmp_path, {"index.js": f"{code}\nexport const a = 1;"})
    with pytest.raises(NotFlatError):
        await flatten(flattener, root)


async def test_an_adaptor_that_changes_its_files_while_it_is_loaded_is_refused(
    flattener: Flattener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the walls let it through, the comparison does not."""
    root = package(tmp_path, {"index.js": "export const a = 1;"})

    async def attacked(_folder: Path, _file: Path) -> JsonObject:
        (root / "package.json").write_text("{}")
        return {}

    monkeypatch.setattr(flatten_module, "_shape", attacked)
    with pytest.raises(StoreError, match="changed while it was loaded"):
        await flatten(flattener, root)


async def test_a_code_cache_of_another_node_is_made_anew_once(
    adaptor_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "@openfn/language-probe"
    with serve() as registry:
        registry.publish(
            name, "1.0.0", files={"index.js": "export const answer = 42;"}, type="module"
        )
        root = tmp_path / "store"
        root.mkdir()
        (root / ".tools").symlink_to(adaptor_store.root / ".tools")
        environment = registry.environment(str(tmp_path))
        with monkeypatch.context() as older:
            older.setattr("holdfast.adaptors.installer.made_for", lambda: "another Node")
            old = await ensure_one(Store(root, environment=environment), name)
    # The registry is gone: all that is needed is there.
    store = Store(root, environment={})
    new = await ensure_one(store, name)
    assert new.path != old.path
    assert evaluate(new.path / new.entry, "it.answer") == "42"
    assert read_record(store.folder_of(new)).cached_for == made_for()
    assert await ensure_one(Store(root, environment={}), name) == new
    assert old.path.is_dir(), "a run may be about to load from it"


async def test_without_esbuild_the_files_stay_and_installation_goes_on(tmp_path: Path) -> None:
    class NoTools:
        asked = 0

        async def ensure(self, specifiers: list[str]) -> dict[str, InstalledAdaptor]:
            self.asked += 1
            cause = "the npm registry cannot be reached"
            raise AutoinstallError(cause, specifier=specifiers[0])

    tools = NoTools()
    flattener = Flattener(tools)
    root = package(tmp_path, {"index.js": "export const a = 1;"})
    for _ in range(2):
        with pytest.raises(NotFlatError, match=r"no esbuild .*cannot be reached"):
            await flatten(flattener, root)
    assert tools.asked == 1


def test_the_walls_refuse_to_start_anything_without_a_file(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "holdfast.adaptors.walled"]
    ended = subprocess.run(command, check=False, capture_output=True, cwd=tmp_path)
    assert ended.returncode != 0


async def test_a_failure_of_the_network_is_not_remembered(tmp_path: Path) -> None:
    class Unreachable:
        asked = 0

        async def ensure(self, specifiers: list[str]) -> dict[str, InstalledAdaptor]:
            self.asked += 1
            cause = "the npm registry cannot be reached"
            raise AutoinstallError(cause, specifier=specifiers[0], transient=True)

    tools = Unreachable()
    flattener = Flattener(tools)
    root = package(tmp_path, {"index.js": "export const a = 1;"})
    for _ in range(2):
        with pytest.raises(NotFlatError, match="cannot be reached"):
            await flatten(flattener, root)
    assert tools.asked == 2
