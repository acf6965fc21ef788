"""The run process's program as one file, with V8's code cache for it.

`engine/javascript` is some thirty modules. Loaded one by one they cost a starting Node.js as
much again as Node.js itself; joined and cached, a third of that (figures: docs/figures.md).
They obey a small part of the language's module syntax so that joining them needs no parser:
`join` refuses the rest. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import select
import shutil
import signal
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from holdfast import durable
from holdfast.engine.config import EngineConfig, EngineError
from holdfast.engine.frames import ToRun, encode
from holdfast.model.json import JsonObject

#: What Node.js is started with; the joined modules and their cache lie beside it.
LOADER = "load.cjs"
_MAKER = "cache.cjs"
_JOINED = "program.js"
_CACHE = "program.js.cache"
#: Makes zygotes of Node.js. Built at installation; missing where there was no C compiler.
LIBRARY = "zygote.so"
_BUILT = Path(__file__).parent.parent / "native" / LIBRARY

#: Node.js makes the cache in a tenth of a second, on a busy machine in a few.
_PATIENCE_SECONDS = 60.0

_IMPORT = re.compile(
    r"^import (?:(?P<default>\w+)|\* as (?P<all>\w+)|\{(?P<names>[^}]*)\})"
    r" from '(?P<from>[^']+)'(?: with \{ type: 'json' \})?;$",
    re.MULTILINE,
)
_RENAMED = re.compile(r"(\w+) as (\w+)")
_EXPORT = re.compile(
    r"^export (?P<what>(?:async function\*?|function\*?|class|const) (?P<name>\w+))", re.MULTILINE
)
#: What must not be left when both have been replaced.
_LEFT = re.compile(r"^(?:import|export)\b.*|\bimport\(['\"].*", re.MULTILINE)
_WIDE = re.compile(r"[^\x00-\x7f]")


def join(entry: Path) -> str:
    """A script of the module `entry` and all that it imports from its folder, each run once.

    Its value is a function of `require` and of the script's own URL. ASCII only, which V8 keeps in
    half the memory. Raises EngineError for what `_module` does not understand.
    """
    texts: dict[str, str] = {}

    def visit(name: str) -> None:
        if name in texts:
            return
        texts[name] = ""  # a module that imports itself finds nothing, and is told at once
        text = (entry.parent / name).read_text(encoding="utf-8")
        for found in _IMPORT.finditer(text):
            if found["from"].startswith("./"):
                visit(found["from"][2:])
        del texts[name]  # behind what it needs
        texts[name] = _module(name, text)

    visit(entry.name)
    whole = "".join(texts.values())
    return _WIDE.sub(_escaped, f"(function (require, $url) {{\n'use strict';\n{whole}}})")


def _module(name: str, text: str) -> str:
    if name.endswith(".json"):
        return f"const {_variable(name)} = {json.dumps(json.loads(text))};\n"
    names = [found["name"] for found in _EXPORT.finditer(text)]
    body = _EXPORT.sub(r"\g<what>", _IMPORT.sub(_imported, text))
    body = body.replace("import.meta.url", "$url")
    left = _LEFT.search(body)
    if left is not None:
        message = f"{name} cannot be joined: {left[0]!r} is not understood."
        raise EngineError(message, fix="Write imports and exports as the other modules do.")
    return (
        f"const {_variable(name)} = (() => {{\n{body}\nreturn {{ {', '.join(names)} }};\n}})();\n"
    )


def _imported(found: re.Match[str]) -> str:
    source = found["from"]
    value = _variable(source[2:]) if source.startswith("./") else f"require('{source}')"
    if found["names"] is None:
        return f"const {found['default'] or found['all']} = {value};"
    names = _RENAMED.sub(r"\1: \2", found["names"])
    return f"const {{{names}}} = {value};"


def _variable(file: str) -> str:
    return "$" + file.removesuffix(".mjs").removesuffix(".json")


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def install(config: EngineConfig) -> Path:
    """Lay the joined program into the data folder; returns what Node.js is to be started with.

    Its folder is named by what it was made of and for, so that a program is never changed; one
    that a power cut left damaged is laid again. Raises EngineError.
    """
    text = join(config.program)
    own = [text, *((config.program.parent / name).read_text() for name in (LOADER, _MAKER))]
    named = zip((_JOINED, LOADER, _MAKER), own, strict=True)
    files = {name: text.encode("ascii") for name, text in named}
    if _BUILT.is_file():
        files[LIBRARY] = _BUILT.read_bytes()
    try:
        node = config.node.stat()
    except OSError as error:
        message = f"Node.js cannot be found at {config.node}: {error.strerror}"
        raise EngineError(message, fix="Install Holdfast again.") from error
    made_of = json.dumps([str(config.node), node.st_size, node.st_mtime_ns]).encode()
    digest = hashlib.sha256(b"\0".join([*files.values(), made_of])).hexdigest()
    folder = config.data / "program" / digest[:16]
    try:
        if not _is_whole(folder, files):
            shutil.rmtree(folder, ignore_errors=True)
            _lay(folder, files)
    except OSError as error:
        message = f"The engine's program cannot be laid into {folder}: {error.strerror}"
        raise EngineError(message, fix="Choose a data folder that can be written to.") from error
    return folder / LOADER


def _is_whole(folder: Path, files: dict[str, bytes]) -> bool:
    try:
        return all((folder / name).read_bytes() == files[name] for name in files)
    except OSError:
        return False


def _lay(folder: Path, files: dict[str, bytes]) -> None:
    folder.parent.mkdir(mode=0o755, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    for name, content in files.items():
        (temporary / name).write_bytes(content)
        (temporary / name).chmod(0o644)  # a run may have a user of its own, whatever our umask
    temporary.chmod(0o755)
    try:
        temporary.rename(folder)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        if not folder.is_dir():  # else another engine was faster
            raise


def forget_others(program: Path) -> None:
    """Remove the programs of earlier versions; for the only engine that serves the data folder."""
    folder = program.parent
    if program.name == LOADER:
        for other in folder.parent.iterdir():
            if other.name != folder.name:
                shutil.rmtree(other, ignore_errors=True)


def cached(program: Path) -> bool:
    """Whether the program needs no `make_cache`: it has its cache, or is none of `install`."""
    return program.name != LOADER or (program.parent / _CACHE).is_file()


def make_cache(config: EngineConfig, flags: Sequence[str]) -> None:
    """Have Node.js go through a run of our own and keep the code that it compiled for it.

    Without it runs only start later, so nothing is raised when it cannot be made.
    """
    folder = config.program.parent
    temporary = folder / f"{_CACHE}.{os.getpid()}"
    argv = [str(config.node), *flags, str(folder / _MAKER), str(temporary)]
    with suppress(OSError), tempfile.TemporaryFile(dir=folder) as frames:
        frames.write(trial({"preload": [], "adaptors": {}}, _TRIAL))
        frames.seek(0)
        nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (1, 2, 3)]
        given = [(os.POSIX_SPAWN_DUP2, frames.fileno(), 0), *nothing]
        pid = os.posix_spawn(argv[0], argv, {}, file_actions=given)
        if not _ends(pid):
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if status == 0:
            temporary.chmod(0o644)
            # V8 believes what it reads here: torn by a power cut, no run would start
            durable.place(temporary, folder / _CACHE)
    temporary.unlink(missing_ok=True)


def _ends(pid: int) -> bool:
    """Whether a child of ours ends in time: standby processes wait for the cache."""
    handle = os.pidfd_open(pid)
    try:
        return bool(select.select([handle], [], [], _PATIENCE_SECONDS)[0])
    finally:
        os.close(handle)


#: Goes through what most runs go through; the second step fails, as many do.
_TRIAL = (
    "export default [(s) => { console.log('a', { b: [1] }); return { ...s, c: 1 }; }, (s) => s];",
    "export default [(state) => { throw new Error('as it should'); }];",
)


def trial(options: JsonObject, codes: Sequence[str]) -> bytes:
    """The frames of a run that knows nobody (docs/engine-protocol.md); a step for each code."""
    steps: list[JsonObject] = [
        {"id": f"s{number}", "name": "trial", "adaptors": []} for number in range(len(codes))
    ]
    for step, following in pairwise(steps):
        step["next"] = {str(following["id"]): "!state.errors"}
    whole = {**options, "run_id": "trial"}
    frames = [encode(ToRun.OPTIONS, json.dumps(whole).encode())]
    frames.append(encode(ToRun.CREDENTIALS, b'{"s0":{"password":"none at all"}}'))
    frames.append(encode(ToRun.PLAN, json.dumps({"workflow": {"steps": steps}}).encode()))
    meta = json.dumps({"operations": [], "edits": [], "check_edits": [], "once": []}).encode()
    for index, code in enumerate(codes):
        parts = [meta, code.encode(), code.encode()]
        head = {"index": index, "step": steps[index]["id"], "name": steps[index]["name"]}
        sizes = {"bytes": sum(map(len, parts)), "parts": list(map(len, parts))}
        body = json.dumps({**head, **sizes}).encode() + b"\n" + b"".join(parts)
        frames.append(encode(ToRun.MODULE, body))
    frames += [encode(ToRun.INPUT, b'{"data":{"x":[1]}}'), encode(ToRun.GO)]
    return b"".join(frames)
