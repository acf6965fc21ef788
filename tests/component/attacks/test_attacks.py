"""Attacks from inside job code after escaping the vm: each must fail.

The same suite runs at each level of isolation; `STOPPED_BY` says which layers stop an attack, and
without any of them it is expected to get through: that too is checked, so that no attack passes
for stopped because it never worked. `docs/isolation.md` has the table of which level stops what.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from holdfast.model.json import Json
from holdfast.model.outcome import Reason
from holdfast.model.record import Kind
from support.engine import (
    ESCAPE,
    LIMITS,
    NOBODY,
    Ended,
    Running,
    engine,
    is_root,
    prepare,
    run,
)
from support.native import WITHOUT, job, library
from support.pouring import pouring

FS = "const fs = process.getBuiltinModule('fs');"
#: Layers that keep files out of reach; Node's own is only another wall in front of them.
FILES = {"landlock", "namespaces"}

#: Root without its capabilities may not look into a root that has them.
ROOT = {"no-new-privileges"} if is_root() else set()

ALL: frozenset[str] = frozenset()
LEVELS = {
    "full": ALL,
    "no-namespaces": frozenset({"namespaces", "network-namespace", "own-uid"}),
    "kernel-only": frozenset({"node-permissions"}),
    "zygote": frozenset({"node-permissions"}),
    "landlock-only": frozenset(
        {"namespaces", "network-namespace", "own-uid", "seccomp", "egress-broker"}
        | {"node-permissions"}
    ),
    "bare": frozenset(
        {"namespaces", "network-namespace", "own-uid", "seccomp", "egress-broker", "landlock"}
        | {"node-permissions"}
    ),
    "ordinary-user": ALL,
    "ordinary-user-without-namespaces": frozenset({"namespaces", "network-namespace"}),
}
ORDINARY = {"ordinary-user", "ordinary-user-without-namespaces"}


@dataclass(frozen=True)
class Attack:
    """`code` returns what it got; the attack was stopped when that is an error.

    `told` is what the run's log says of it when the kernel was asked and refused.
    """

    code: str
    stopped_by: frozenset[str]
    told: str = ""


def attack(code: str, *layers: str, told: str = "") -> Attack:
    return Attack(code, frozenset(layers), told)


def connect(target: str) -> str:
    """Code that connects to `target`, the arguments of Node's `net.connect`."""
    return (
        "const net = process.getBuiltinModule('net');"
        f"return await new Promise((done, no) => {{ const s = net.connect({target}, () =>"
        " { s.destroy(); done('connected'); }); s.on('error', no); })"
    )


ATTACKS = {
    "read /etc/passwd": attack(FS + "return fs.readFileSync('/etc/passwd', 'utf8')",
                               "node-permissions", *FILES),
    "read the worker's files": attack(FS + "return fs.readFileSync('SECRET', 'utf8')",
                                      "node-permissions", *FILES),
    "list the journals": attack(FS + "return fs.readdirSync('JOURNALS')",
                                "node-permissions", *FILES),
    "list a home": attack(FS + "return fs.readdirSync('HOME')", "node-permissions", *FILES),
    "read the parent's environment": attack(
        FS + "return fs.readFileSync('/proc/PARENT/environ', 'utf8')",
        "node-permissions", *FILES, *ROOT),
    "read the parent's memory": attack(
        FS + "return fs.openSync('/proc/PARENT/mem', 'r')", "node-permissions", *FILES, *ROOT),
    "signal the parent": attack("return process.kill(PARENT, 0)",
                                "namespaces", "seccomp", "landlock",
                                told="to signal another process (kill)"),
    "list other processes": attack(
        FS + "const own = [String(process.pid)]; const seen = fs.readdirSync('/proc')"
        ".filter(name => /^[0-9]+$/.test(name) && !own.includes(name));"
        " if (seen.length === 0) throw new Error('alone'); return seen.length",
        "node-permissions", *FILES),
    "start a process": attack(
        "const r = process.getBuiltinModule('child_process').spawnSync('/bin/echo', ['hi']);"
        " if (r.error) throw r.error; return String(r.stdout)",
        "node-permissions", "seccomp", *FILES, told="to start a process ("),
    "write outside scratch": attack(FS + "fs.writeFileSync('OUTSIDE', 'x'); return 'written'",
                                    "node-permissions", *FILES),
    "poison the engine": attack(FS + "fs.appendFileSync('POISON', ''); return 'written'",
                                "node-permissions", *FILES),
    "load a native addon": attack(
        # A library that is no addon: Node says so after its code has been loaded.
        "try { process.dlopen({ exports: {} }, 'libm.so.6'); } catch (error) {"
        " if (!/self-register/.test(error.message)) throw error; } return 'loaded'",
        "node-permissions"),
    "reach the agent's socket": attack(connect("'SOCKET'"), "seccomp", "namespaces"),
    "reach a port of the worker": attack(
        connect("PORT, '127.0.0.1'"), "egress-broker",
        told="Connection to 127.0.0.1:PORT refused"),
    "reach it by an IPv6-mapped address": attack(
        connect("PORT, '::ffff:127.0.0.1'"), "egress-broker",
        told="Connection to 127.0.0.1:PORT refused"),
    "reach the metadata address": attack(
        # Nobody may answer there: that something was sent is what counts.
        "const net = process.getBuiltinModule('net');"
        "return await new Promise((done, no) => { const s = net.connect(80, '169.254.169.254',"
        " () => done('connected')); s.on('error', error => error.code === 'EACCES'"
        " ? no(error) : done(error.code)); setTimeout(() => { s.destroy(); done('sent'); }, 500);"
        " })", "egress-broker", told="Connection to 169.254.169.254:80 refused"),
    "read the platform's database": attack(
        FS + "return fs.readFileSync('DATABASE').length", "node-permissions", *FILES),
    "write into the platform's database": attack(
        FS + "fs.appendFileSync('DATABASE', 'x'); return 'written'", "node-permissions", *FILES),
    "poison an adaptor": attack(
        FS + "fs.writeFileSync('ADAPTOR', '//'); return 'written'",
        "node-permissions", *FILES),
    "listen": attack(
        "const net = process.getBuiltinModule('net');"
        "return await new Promise((done, no) => { const s = net.createServer(); s.on('error', no);"
        " s.listen(0, () => { s.close(); done('listening'); }); })",
        "seccomp", told="to listen for connections (bind)"),
}  # fmt: skip


@dataclass(frozen=True)
class Level:
    """What came of all attacks at one level, tried one after the other in one run."""

    layers: set[str]
    results: dict[str, dict[str, str]]
    log: str
    places: dict[str, str]


@pytest.fixture(scope="module", params=LEVELS)
def level(request: pytest.FixtureRequest, public_folder: Path) -> Iterator[Level]:
    folder = public_folder
    user = NOBODY if request.param in ORDINARY else None
    if user is not None and not is_root():
        pytest.skip("this is the ordinary user already")
    with (
        engine(folder / request.param, user, **_settings(request.param)) as running,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        secret = folder / "secret"
        secret.write_text("s3cret")
        secret.chmod(0o644)
        home = folder / "home"  # everybody may look into it: only a wall keeps a run out
        home.mkdir(exist_ok=True)
        home.chmod(0o755)
        database, adaptor = folder / "platform.db", folder / "adaptor.cjs"
        for path in (database, adaptor):
            path.write_text("x")
            path.chmod(0o666)
        places = {
            "DATABASE": str(database),
            "ADAPTOR": str(adaptor),
            "SECRET": str(secret),
            "JOURNALS": str(running.config.journals),
            "HOME": str(home),
            "OUTSIDE": str(folder / "outside"),
            # what is appended there is nothing
            "POISON": str(next(running.config.data.glob("program/*/program.js"))),
            "SOCKET": str(running.config.socket),
            "PORT": str(listener.getsockname()[1]),
            "PARENT": str(os.getpid()),
        }
        ended = run(running, _attempts(places))
        assert ended.outcome.reason is Reason.SUCCESS, ended.outcome
        document = ended.bodies(Kind.RESULT)[0]["final_state"]
        layers = ended.bodies(Kind.LAUNCHED)[0]["layers"]
        assert isinstance(document, dict)
        assert isinstance(layers, list)
        results = json.loads(str(document["inline"]))["data"]
        assert database.read_text() == "x" or not FILES & set(map(str, layers))
        yield Level({str(layer) for layer in layers}, results, ended.log, places)


def _settings(level: str) -> dict[str, Any]:
    """A child of a zygote is tried without Node's own wall, as native code would be."""
    settings: dict[str, Any] = {"without": LEVELS[level]}
    return {**settings, "lane": "zygote"} if level == "zygote" else settings


def _attempts(places: dict[str, str]) -> str:
    """Job code that tries every attack and keeps what it got, or what refused it."""
    parts = []
    for name, one in ATTACKS.items():
        code = one.code
        for word, place in places.items():
            code = code.replace(word, place)
        parts.append(
            f"try {{ const got = await (async () => {{ {code} }})();"
            f" data[{json.dumps(name)}] = {{ got: String(JSON.stringify(got)).slice(0, 99) }}; }}"
            f" catch (e) {{ data[{json.dumps(name)}] = {{ refused: String(e.code ?? e) }}; }}"
        )
    body = "\n".join(parts)
    head = f"export default [async state => {{ {ESCAPE} const data = {{}};"
    return f"{head} {body} return {{ data }}; }}];"


@pytest.mark.parametrize("name", ATTACKS)
def test_attack(level: Level, name: str) -> None:
    result = level.results[name]
    stopped = bool(ATTACKS[name].stopped_by & level.layers)
    assert ("refused" in result) is stopped, f"{name} at {sorted(level.layers)}: {result}"


@pytest.mark.parametrize("name", [name for name, one in ATTACKS.items() if one.told])
def test_what_the_kernel_refused_is_told_in_the_log(level: Level, name: str) -> None:
    told = ATTACKS[name].told
    for word, place in level.places.items():
        told = told.replace(word, place)
    earlier = {"node-permissions"} & ATTACKS[name].stopped_by & level.layers
    expected = "egress-broker" in level.layers and not earlier
    assert (told in level.log) is expected, level.log


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with engine(tmp_path_factory.mktemp("data")) as running:
        yield running


MEMORY = {
    "strings": "let s = 'x'.repeat(1 << 20); const k = []; for (;;) k.push(s + k.length + s);",
    "objects": "const k = []; for (;;) k.push({ a: k.length, b: [k.length] });",
    "buffers": "const k = []; for (;;) k.push(Buffer.alloc(1 << 20, 1));",
    "array buffers": "const k = []; for (;;) k.push(new Uint8Array(1 << 20).fill(1));",
    "wasm": "const m = new WebAssembly.Memory({ initial: 1 });"
    "for (;;) { m.grow(16); new Uint8Array(m.buffer).fill(1); }",
    "maps": "const m = new Map(); for (let i = 0; ; i++) m.set(i, [i]);",
    "json": "const k = []; const t = JSON.stringify(Array(1000).fill({ a: 1 }));"
    "for (;;) k.push(JSON.parse(t));",
    "promises": "const k = []; for (;;) k.push(Promise.resolve(k.length));",
    "timers": "const k = []; for (;;) k.push(setTimeout(() => k, 1e8));",
    "typed arrays": "const k = []; for (;;) k.push(new Float64Array(1 << 17).fill(Math.PI));",
    "typed arrays in a worker thread": "const { Worker } ="
    " process.getBuiltinModule('worker_threads'); new Worker("
    "'const k = []; for (;;) k.push(new Float64Array(1 << 17).fill(Math.PI));',"
    " { eval: true }); return new Promise(() => setInterval(() => {}, 1e6));",
    "native crypto": "const c = process.getBuiltinModule('crypto'); const k = [];"
    "for (;;) k.push(c.createSecretKey(Buffer.alloc(1 << 20, 1)));",
    "regular expressions": "const k = []; for (;;) k.push([...'ab'.repeat(1e5).matchAll(/a/g)]);",
    "hashes": "const c = process.getBuiltinModule('crypto'); const k = [];"
    "for (;;) k.push(c.createHash('sha256').update('x'), Buffer.alloc(1 << 18, 1));",
    "deflate": "const z = process.getBuiltinModule('zlib'); const k = [];"
    "for (;;) k.push(z.createDeflate({ windowBits: 15, memLevel: 9 }));",
}


@pytest.fixture(scope="module", params=["kernel", "sampling"])
def limited(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """Memory is limited by the kernel, or by looking; Node's own wall stands in no one's way."""
    means = None if request.param == "kernel" else "sampling"
    folder = tmp_path_factory.mktemp(request.param)
    store = folder / "store"
    with engine(folder / "data", limits=means, without=WITHOUT, store=store) as running:
        yield running


@pytest.mark.parametrize("name", MEMORY)
def test_memory_cannot_be_filled(limited: Running, name: str) -> None:
    code = f"export default [state => {{ {ESCAPE} {MEMORY[name]} }}];"
    ended = run(limited, code, limits=replace(LIMITS, memory_mb=96))
    # A failed job is fine where the allocation itself is refused (WebAssembly, huge strings), and
    # so is a crash where V8 is refused address space (a second thread, under RLIMIT_DATA).
    refused = "out of memory" in str(ended.outcome.error_message)
    assert ended.outcome.error_type in ("OOMError", "RuntimeError") or refused, ended.outcome
    memory: Any = ended.evidence["memory"]
    # A look may come late on a busy machine; then RLIMIT_DATA stops the run. It leaves 86 MB more
    # than a quarter, since Node.js never touches 554 of the 640 MB that it adds. Node's own file
    # and the page tables come on top: 60 MB.
    sampled = memory["means"] == "sampling"
    over = memory["limit"] * 0.25 + (150 << 20) if sampled else memory["limit"] * 0.05
    assert memory["peak"] <= memory["limit"] + over


def test_page_tables_are_memory(limited: Running) -> None:
    """Pages that are only read cost nothing themselves, but their tables do."""
    assert limited.config.store is not None
    attacker = library(limited.config.store)
    ended = run(limited, job(attacker, "page-tables", 300), limits=replace(LIMITS, memory_mb=96))
    assert ended.outcome.error_type == "OOMError", ended.outcome


def test_what_comes_and_is_not_read_is_memory(limited: Running) -> None:
    assert limited.config.store is not None
    attacker = library(limited.config.store)
    with pouring() as port:
        ended = run(
            limited,
            job(attacker, "hoard", 100, port),
            limits=replace(LIMITS, memory_mb=96, timeout_seconds=20),
            options={"egress": {"allow": [f"127.0.0.1:{port}"]}},
        )
    assert ended.outcome.error_type == "OOMError", ended.outcome


def test_a_process_whose_first_thread_has_ended_meets_its_limits(limited: Running) -> None:
    """That of time where memory is the kernel's: there it takes none."""
    assert limited.config.store is not None
    attacker = library(limited.config.store)
    sampled = limited.config.limits == "sampling"
    limits = replace(LIMITS, memory_mb=96, timeout_seconds=60 if sampled else 1)
    ended = run(limited, job(attacker, "lose-head", 2000 if sampled else 0), limits=limits)
    error = "OOMError" if sampled else "TimeoutError"
    assert ended.outcome.error_type == error, ended.outcome


def execute(full: Running, code: str, **rest: object) -> Ended:
    body = f"export default [async state => {{ {ESCAPE} {FS} {code} }}];"
    return run(full, body, **rest)


def test_scratch_cannot_be_filled(full: Running) -> None:
    code = "for (let i = 0; ; i++) fs.writeFileSync('f' + i, Buffer.alloc(1 << 20, 1));"
    assert_full(execute(full, code, limits=replace(LIMITS, scratch_mb=4)))


def test_inodes_cannot_be_used_up(full: Running) -> None:
    code = "for (let i = 0; ; i++) fs.writeFileSync('f' + i, '');"
    assert_full(execute(full, code, limits=replace(LIMITS, scratch_mb=4)))


def assert_full(ended: Ended) -> None:
    """A file system of its own is full; on a disk, where it is measured, the run is stopped."""
    layers = ended.bodies(Kind.LAUNCHED)[0]["layers"]
    if "namespaces" in cast("list[Json]", layers):
        assert ended.outcome.reason is Reason.FAIL, ended.outcome
        assert "ENOSPC" in str(ended.outcome.error_message)
    else:
        assert ended.outcome.error_type == "DiskLimitError", ended.outcome


def test_descriptors_cannot_be_used_up(full: Running) -> None:
    code = (
        "const open = []; try { for (;;) open.push(fs.openSync('f', 'w')); }"
        " catch (error) { open.code = error.code; } open.forEach(one => fs.closeSync(one));"
        " return { data: [open.code, open.length > 100] };"
    )
    ended = execute(full, code, limits=replace(LIMITS, open_files=200))
    state = ended.bodies(Kind.RESULT)[0]["final_state"]
    assert state == {"inline": '{"data":["EMFILE",true]}'}


@pytest.mark.skipif(not is_root(), reason="only groups and own users limit threads")
def test_threads_cannot_be_used_up(full: Running) -> None:
    code = (
        "const { Worker } = process.getBuiltinModule('worker_threads');"
        "for (let i = 0; i < 200; i++) new Worker('setInterval(() => {}, 1e6)', { eval: true });"
        "await new Promise(() => setInterval(() => {}, 1e6));"
    )
    ended = execute(full, code, limits=replace(LIMITS, timeout_seconds=5, memory_mb=200))
    assert ended.outcome.reason is not Reason.SUCCESS


def test_a_run_that_ignores_signals_is_stopped(full: Running) -> None:
    code = "process.on('SIGTERM', () => {}); process.on('SIGINT', () => {}); for (;;);"
    ended = execute(full, code, limits=replace(LIMITS, timeout_seconds=1))
    assert ended.outcome.error_type == "TimeoutError"


FRAMES = {
    "its own outcome": (30, '{"reason":"success","evidence":{}}'),
    "a claim": (1, '{"run_id":"other"}'),
    "a launch": (10, '{"shim":1,"pids":{"x":1}}'),
    "the end of a step that is not open": (15, '{"step_id":"x","job_id":"a"}'),
    "a file of the journal": (18, '{"reason":"success","final_state":{"blob":"../../secret"}}'),
    "a document that never came": (18, '{"reason":"success","final_state":{"stream":1}}'),
    "no JSON": (13, "{]}"),
    "deep JSON": (11, "[" * 100_000),
    "words that nest": (19, f'{{"error_message":{"[" * 700}{"]" * 700}}}'),
    "a place that nests": (19, '{"error_type":"X","position":{"line":[1]}}'),
    "a phase that nests": (11, '{"phase":"step","step":[["a"]]}'),
    "a result that nests": (18, '{"reason":"success","error_type":{"a":1}}'),
    "a frame nobody knows": (200, ""),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames_that_lie(full: Running, name: str) -> None:
    kind, body = FRAMES[name]
    code = (
        f"const body = Buffer.from({json.dumps(body)}); const head = Buffer.alloc(5);"
        f"head.writeUInt32LE(body.length); head[4] = {kind};"
        "fs.writeSync(3, Buffer.concat([head, body])); for (;;);"
    )
    ended = execute(full, code, limits=replace(LIMITS, timeout_seconds=30))
    assert ended.outcome.reason is Reason.CRASH
    assert ended.outcome.error_type == "ProtocolViolation"


def test_a_frame_of_four_gigabytes(full: Running) -> None:
    code = "fs.writeSync(3, Buffer.from([255, 255, 255, 255, 13])); for (;;);"
    ended = execute(full, code)
    assert ended.outcome.error_type == "ProtocolViolation"
    assert "4294967295 bytes" in str(ended.outcome.error_message)


def test_nothing_reaches_another_run(full: Running) -> None:
    other = prepare(full, "export default [s => s]", state={"data": "private"})
    path = other.directory / "input.json"
    ended = execute(full, f"return {{ data: fs.readFileSync({json.dumps(str(path))}, 'utf8') }};")
    assert ended.outcome.reason is Reason.FAIL
    assert "private" not in ended.folder.journal.read_text(errors="replace")
