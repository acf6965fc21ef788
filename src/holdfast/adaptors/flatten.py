"""One file instead of thousands: an adaptor that loads in a sixth of the time.

esbuild joins the adaptor and all it needs into a single function beside its entry file, which the
engine evaluates with V8's code cache (`engine/javascript/joined.mjs`). CommonJS files keep the
mode of their text, strict or not; ES modules become part of a function that is not strict, where
assignments that would have thrown are ignored. The file is used only where nothing else can
differ: no part of it looks for its own place on disk, loads by computed names or awaits at its top
level, and loading both gives the same names, kinds and globals. Everything else keeps the files as
npm laid them out. Figures: `docs/figures.md`, "Adaptors".
"""

from __future__ import annotations

import asyncio
import base64
import os
import platform
import re
import signal
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import holdfast
from holdfast.adaptors import tree
from holdfast.adaptors.errors import AutoinstallError, StoreError
from holdfast.adaptors.record import InstalledAdaptor
from holdfast.model.json import Json, JsonObject, parse_document

#: The bundler, an npm package whose program comes in a package of its own for each platform.
ESBUILD = "esbuild@0.28.2"
#: Ending of the joined file, which stands beside the entry file. Its code cache stands beside it.
SUFFIX = ".holdfast.cjs"
CACHE = ".cache"
_TIME_LIMIT_SECONDS = 60.0
_OUTPUT_LIMIT = 64 << 20  # bytes; a code cache has a few
#: Where esbuild's output makes the `module` of a CommonJS file.
_MODULE = "mod = { exports: {} }"
_MODULE_WITH_REQUIRE = "mod = { exports: {}, require }"
_OPTIONS = (
    "--bundle",
    "--platform=node",
    "--target=node24",
    "--format=cjs",
    # Node's own conditions; esbuild would add `module`, which Node does not know.
    "--conditions=node,node-addons,module-sync",
    # Function names can be seen by jobs (`error.name`), and side effects are kept even where a
    # package claims to have none: the same thing must happen, only faster.
    "--keep-names",
    "--ignore-annotations",
    # One byte per character in V8's memory.
    "--charset=ascii",
    "--log-level=silent",
    # Not one that lies in a folder above the store.
    "--tsconfig-raw={}",
    # The whole file is one function, as Node makes one of every CommonJS file.
    "--banner:js=(function (exports, require, module, __filename, __dirname) {",
    "--footer:js=})",
)
#: Text that means: this file looks for its place, or loads what only shows when it runs.
_BOUND = re.compile(
    rb"\b__dirname\b|\b__filename\b|\bimport\.meta\b|\bcreateRequire\b|\bnew Worker\("
    rb"|\brequire\.(?:resolve|cache|main)\b"
    rb"|\bmodule\.(?:require|paths|parent|children|filename|id)\b"
    rb"|\bimport\(\s*[^'\"\s)]|\brequire\(\s*[^'\"\s)]"
)
#: Files where such text was read by us and changes nothing: undici only looks for its own file
#: name in a stack trace, to add frames where it is missing.
_HARMLESS = ("/undici/index.js",)
_PROCESSORS = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_SHAPE = Path(__file__).with_name("shape.mjs")
#: Loads joined files: the engine's own module, so that what is compared is what will run.
LOADER = Path(holdfast.__file__).parent / "engine" / "javascript" / "joined.mjs"


class Tools(Protocol):
    """Where the bundler comes from: an adaptor store is one."""

    async def ensure(self, specifiers: list[str]) -> dict[str, InstalledAdaptor]: ...


class NotFlatError(Exception):
    """The adaptor stays as npm laid it out; the text says why."""


class Flattener:
    """Makes single files of adaptors, with an esbuild that `tools` provides."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._program: Path | None = None
        self._unavailable: str | None = None

    async def flatten(self, folder: Path, package: Path, entry: str) -> str:
        """Write the joined file of the adaptor in `package`; its path relative to `package`.

        `folder` holds the package and all it needs, and is not sealed yet. Raises NotFlatError,
        after which nothing of the attempt is left.
        """
        program = await self._esbuild()
        source = package / entry
        target = source.with_name(source.name.partition(".")[0] + SUFFIX)
        notes = folder / "esbuild.json"
        try:
            files = [str(source), f"--outfile={target}", f"--metafile={notes}"]
            await _run([str(program), *files, *_OPTIONS], folder)
            await asyncio.to_thread(_complete_modules, target)
            told = parse_document(notes.read_text())
            await asyncio.to_thread(_check_inputs, folder, source, told)
            before, after = await _shapes(folder, source, target)
            code = _cache(after)
            if before != after:
                reason = "loaded as one file, it offers something else"
                raise NotFlatError(reason)
            target.with_name(target.name + CACHE).write_bytes(code)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        finally:
            notes.unlink(missing_ok=True)
        return target.relative_to(package).as_posix()

    async def _esbuild(self) -> Path:
        """The bundler's program, fetched once. That it is not to be had is remembered."""
        if self._program is None and self._unavailable is None:
            try:
                found = await self._tools.ensure([ESBUILD])
                self._program = _program(found[ESBUILD].path)
            except (AutoinstallError, StoreError) as error:
                if isinstance(error, AutoinstallError) and error.transient:
                    raise NotFlatError(error.message) from None
                self._unavailable = error.message
        if self._program is None:
            reason = f"no esbuild ({self._unavailable})"
            raise NotFlatError(reason)
        return self._program


def _program(package: Path) -> Path:
    processor = _PROCESSORS.get(platform.machine().lower(), platform.machine())
    name = f"{sys.platform}-{processor}"
    program = package.parent / "@esbuild" / name / "bin" / "esbuild"
    if not program.is_file():
        message = f"there is no esbuild for {name}"
        raise StoreError(message)
    return program


def _complete_modules(target: Path) -> None:
    """Give CommonJS modules in the joined file their `module.require`; lodash asks for it."""
    text = target.read_text()
    if text.count(_MODULE) > 1:
        reason = "esbuild's output is not as we know it"
        raise NotFlatError(reason)
    target.write_text(text.replace(_MODULE, _MODULE_WITH_REQUIRE))


def _check_inputs(folder: Path, source: Path, notes: Json) -> None:
    """Refuse what could behave differently as part of one file. Raises NotFlatError."""
    inputs = notes.get("inputs") if isinstance(notes, dict) else None
    inside = folder.resolve()
    for name, facts in inputs.items() if isinstance(inputs, dict) else ():
        if name.startswith("(disabled)"):
            continue
        path = (folder / name).resolve()
        if path == source.resolve() and isinstance(facts, dict) and facts.get("format") != "esm":
            reason = "its entry file is not an ES module"  # names would be found differently
            raise NotFlatError(reason)
        if not path.is_relative_to(inside):
            reason = f"{name} is outside of the adaptor's folder"
            raise NotFlatError(reason)
        if path.suffix == ".json" or str(path).endswith(_HARMLESS):
            continue
        found = _BOUND.search(path.read_bytes())
        if found is not None:
            place = path.relative_to(inside).as_posix()
            reason = f"{place} depends on where it lies ({found[0].decode(errors='replace')})"
            raise NotFlatError(reason)


async def code_cache(folder: Path, file: Path) -> bytes:
    """V8's code cache of a joined file, by loading it. Raises NotFlatError, StoreError."""
    (shape,) = await _shapes(folder, file)
    return _cache(shape)


def _cache(shape: JsonObject) -> bytes:
    """Take the code cache out of an answer, which the adaptor may have written itself."""
    try:
        return base64.b64decode(str(shape.pop("cache", "")))
    except ValueError:
        reason = "its code cache is none"
        raise NotFlatError(reason) from None


async def _shapes(folder: Path, *files: Path) -> list[JsonObject]:
    """What loading each file gives. NotFlatError; StoreError where that changed the folder."""
    untouched = await asyncio.to_thread(_opened, folder)
    shapes = await asyncio.gather(*(_shape(folder, file) for file in files))
    if await asyncio.to_thread(tree.fingerprint, folder) != untouched:
        message = "its files changed while it was loaded"
        raise StoreError(message, fix="Do not use this adaptor: loading it attacks the worker.")
    return shapes


def _opened(folder: Path) -> str:
    """Let the user of its own that loads the files read them; their fingerprint."""
    for path in (folder, *(Path(item.path) for item in tree.entries(folder))):
        mode = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode | (0o555 if path.is_dir() else 0o444))
    return tree.fingerprint(folder)


async def _shape(folder: Path, file: Path) -> JsonObject:
    # -P: nothing of the adaptor's folder may be taken for a part of Holdfast.
    command = [sys.executable, "-P", "-m", "holdfast.adaptors.walled"]
    output = await _run([*command, str(folder), str(_SHAPE), str(LOADER), str(file)], folder)
    try:
        shape = parse_document(output.rstrip().rpartition("\n")[2])
    except ValueError:
        shape = None
    if not isinstance(shape, dict):
        reason = f"{file.name} cannot be loaded on its own"
        raise NotFlatError(reason)
    return shape


async def _run(command: list[str], folder: Path) -> str:
    """Output of a program that may take a minute. Raises NotFlatError."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        reason = f"{Path(command[0]).name} does not start ({error.strerror})"
        raise NotFlatError(reason) from None
    try:
        async with asyncio.timeout(_TIME_LIMIT_SECONDS):
            output = await _read(process)
            await process.wait()
    except TimeoutError:
        reason = f"{Path(command[0]).name} took longer than {_TIME_LIMIT_SECONDS:.0f} s"
        raise NotFlatError(reason) from None
    finally:
        if process.returncode is None:
            await asyncio.shield(_end(process))
    if process.returncode:
        reason = f"{Path(command[0]).name} ended with {process.returncode}"
        raise NotFlatError(reason)
    return output.decode(errors="replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill it and all in its session. What it printed is drained: asyncio waits for the pipe."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    assert process.stdout is not None
    while await process.stdout.read(1 << 20):
        pass
    await process.wait()


async def _read(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    output = bytearray()
    while piece := await process.stdout.read(1 << 20):
        output += piece
        if len(output) > _OUTPUT_LIMIT:
            reason = "it prints without end while it loads"
            raise NotFlatError(reason)
    return bytes(output)
