"""Each example of each `--help` and of the docs is typed into a shell, and works.

Not in the repository's folder: in one with a space and letters beyond ASCII in its name, whose
data folder is a symbolic link, and with relative paths as the examples have them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from holdfast.adaptors import Store
from support.adaptors import COMMON
from support.command import Command
from support.examples import PLATFORM, Example, examples
from support.product import Product
from support.waiting import finish

#: Examples that are not typed here, and why. Every pattern must be needed.
ELSEWHERE = {
    r"^DATABASE_URL=postgresql": "needs a PostgreSQL server",
    r"adaptors install (http|common)\b": "asks the npm registry for what is newest",
    r"adaptors install @openfn/language-http@7\.2\.10$": "downloads from the npm registry",
    r"^make demo$": "tests/acceptance/test_demo.py types it",
    r"^make (?!demo)\w+": "works on the whole repository, as this test run does",
    r"^python3 -m venv /opt": "installs into the machine",
    r"/pip install": "installs into the machine",
    r"alerts test examples 1f0c": "needs the id of an alert that there is",
    r"\$HOLDFAST_DATA/": "is a part of a script: it has no meaning alone",
}
#: Exit codes beside 0: what the machine, or the run, is like.
ALSO = {r"doctor": {2}, r"journal verify": {1}, r"holdfast diff": {1}}
#: Examples that stay up, and how they say that they are ready.
SERVERS = {
    r"\bup\b": r"Holdfast is ready: (\S+)",
    r"\bplatform\b": r"^worker +WORKER_LIGHTNING",
    r"\bworker\b": r"connection\.up",
}

JOB = "fn(state => ({ ...state, seen: true }))\n"
WORKFLOW = (
    '{"steps": [{"id": "first", "adaptor": "common", "expression": "fn(s => s)",'
    ' "next": "map"}, {"id": "map", "adaptor": "common", "expression": "fn(s => s)"}]}'
)
PROJECT = f"""\
name: examples
record: true
credentials:
  HAPI: {{name: HAPI, owner: jo}}
collections:
  codes: {{name: codes}}
workflows:
  examples:
    jobs:
      Only: {{adaptor: "{COMMON}", body: {{path: ./job.js}}, credential: HAPI}}
    triggers:
      webhook: {{type: webhook}}
    edges:
      webhook->Only: {{source_trigger: webhook, target_job: Only}}
"""
#: Where `holdfast test` looks for cases.
TESTS = "tests"
CASES = "workflow: examples\ncases: {two people: {input: {n: 1}, expect: {Only: {seen: true}}}}\n"
FILES = {
    "job.js": JOB,
    "workflow.json": WORKFLOW,
    "workflow.yaml": WORKFLOW,
    "patients.json": '{"data": [1]}',
    "project.yaml": PROJECT,
    "input.json": '{"data": {"n": 1}}',
    "secrets.yaml": "HAPI: {password: s3cret-value}\n",
    "cases.yaml": CASES,
    f"{TESTS}/people.yaml": CASES,
}
DEPLOY = "holdfast deploy project.yaml --credentials secrets.yaml"
#: Names under which examples know the run that the platform has had.
RECORDINGS = ("run.json", "run-4f1c2a90.json")
#: Programs that examples call beside `holdfast`, as far as they matter.
PROGRAMS = {
    "sudo": '#!/bin/sh\nshift 2\nexec "$@"\n',
    "jq": f"#!{sys.executable}\nimport json, sys\nprint(json.load(sys.stdin)[sys.argv[1][1:]])\n",
    "xdg-open": "#!/bin/sh\n",
}


@dataclass(frozen=True, slots=True)
class Scene:
    """Folders in which examples are typed, a platform that they reach, and a run it has had."""

    folder: Path  # of examples that end
    servers: Path  # of those that stay up: they have a data folder of their own
    environment: dict[str, str]
    product: Product
    run_id: str
    webhook: str

    def typed(self, example: Example) -> str:
        """The line, with what differs from installation to installation filled in."""
        line = example.line.replace("=… ", '="$WORKER_SECRET" ')
        line = line.replace(PLATFORM, self.environment["WORKER_LIGHTNING_SERVICE_URL"])
        line = line.replace("https://flows.example.org", self.product.url)
        line = re.sub(r"http://127\.0\.0\.1:4000/i/<[^>]*>", self.webhook, line)
        return re.sub(
            r"(journal \w+|postmortem|requests|pull-run|runs retry) [0-9a-f]{4,8}\b",
            rf"\1 {self.run_id[:8]}",
            line,
        )


def lay(folder: Path, data: Path) -> None:
    """A folder of a user, whose data lies on another disk."""
    folder.mkdir()
    data.mkdir()
    (folder / "data").symlink_to(data)
    (folder / ".holdfast").symlink_to("data")
    (folder / TESTS).mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)


def own_store(folder: Path, store: Store) -> Path:
    """The one adaptor that the examples use, known as the newest: nobody is asked for it."""
    installed = finish(store.ensure([COMMON]))[COMMON]
    source = Path(str(installed.path).partition("/node_modules/")[0])
    target = folder / source.relative_to(store.root)
    shutil.copytree(source, target, copy_function=os.link, symlinks=True)
    (folder / "resolutions.json").write_text(
        json.dumps({"@openfn/language-common@latest": COMMON.rpartition("@")[2]})
    )
    return folder


def programs(folder: Path) -> Path:
    folder.mkdir()
    command = f'#!/bin/sh\nexec "{sys.executable}" -m holdfast.cli.main "$@"\n'
    for name, text in {**PROGRAMS, "holdfast": command}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, adaptor_store: Store) -> Iterator[Scene]:
    root = tmp_path_factory.mktemp("scène")
    folder, servers = root / "größe 1", root / "更多 2"
    lay(folder, root / "la vraie")
    lay(servers, root / "le serveur")
    environment = {
        "PATH": f"{programs(root / 'bin ü')}:{os.environ['PATH']}",
        "HOME": str(folder),
        "WORKER_REPO_DIR": str(own_store(root / "adaptors é", adaptor_store)),
        "WORKER_PORT": "0",
        "PORT": "0",
        "EDITOR": "true",
    }
    up = Command("up", "--data", "./data", "--port", "0", env=environment, folder=folder)
    try:
        product = Product(up, up.wait_for_line(r"is ready: (\S+)")[1], folder / "data", folder)
        health = up.wait_for_line(r"worker\.started .*\bport=(\d+)")[1]
        up.wait_for_line("connection.up")
        done = shell(environment, folder, f"{DEPLOY} --data data --json")
        webhook = str(json.loads(done.stdout)["webhooks"][0]["url"])
        run_id = product.send(webhook, {"n": 1})
        run = product.finished(run_id)
        assert run["state"] == "success", run
        environment |= {
            "WORKER_PORT": health,
            "WORKER_LIGHTNING_SERVICE_URL": f"ws{product.url.removeprefix('http')}/worker",
            "WORKER_SECRET": (folder / "data/keys/worker-secret").read_text().strip(),
            "TOKEN": (folder / "data/admin-token").read_text().strip(),
        }
        shell(environment, folder, "holdfast adaptors bundle project.yaml -o a.tgz")
        for name in RECORDINGS:
            pulled = shell(environment, folder, f"holdfast pull-run {run_id} -o {name}")
            assert pulled.returncode == 0, pulled.stderr
            shutil.copy(folder / name, servers / name)
        yield Scene(folder, servers, environment, product, run_id, webhook)
        assert up.stop() == 0, up.output[-3000:]
    finally:
        up.kill()


def shell(
    environment: dict[str, str], folder: Path, line: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def server(example: Example) -> str | None:
    """How an example that stays up says that it is ready; None for one that ends."""
    words = example.line.partition("holdfast ")[2].split(" ")
    if {"--help", "--check", "rotate-key", "backup"} & set(words):
        return None
    if "--watch" in words:
        return "slots" if words[0] == "status" else "watching"
    return next((ready for name, ready in SERVERS.items() if re.search(name, words[0])), None)


def elsewhere(example: Example) -> list[str]:
    return [pattern for pattern in ELSEWHERE if re.search(pattern, example.line)]


TYPED = [item for item in examples() if not elsewhere(item)]


@pytest.mark.parametrize("example", [item for item in TYPED if server(item) is None], ids=str)
def test_example_works(scene: Scene, example: Example) -> None:
    allowed = {0}.union(*(codes for part, codes in ALSO.items() if part in example.line))
    checked = {"WORKER_PORT": "0"} if "--check" in example.line else {}
    done = shell({**scene.environment, **checked}, scene.folder, scene.typed(example))
    assert done.returncode in allowed, (example.places, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("example", [item for item in TYPED if server(item)], ids=str)
def test_example_that_stays_up_is_ready_and_ends_when_told(scene: Scene, example: Example) -> None:
    words = ("bash", "-c", scene.typed(example))
    environment = {**scene.environment, "HOME": str(scene.servers)}
    watches = "--watch" in example.line
    if not watches:
        environment["WORKER_PORT"] = "0"
    started = Command(*words, program=(), env=environment, folder=scene.servers)
    try:
        started.wait_for_line(str(server(example)))
        # a view ends with Ctrl-C, and says that it was interrupted
        assert started.stop(signal.SIGINT if watches else signal.SIGTERM) == (
            130 if watches else 0
        )
    finally:
        started.kill()


def test_every_example_is_typed_or_listed_with_a_reason() -> None:
    found = examples()
    assert len(found) > 40, "examples are found"
    needed = {pattern for item in found for pattern in elsewhere(item)}
    assert needed == set(ELSEWHERE), "no reason is left over"


def test_files_with_spaces_and_letters_beyond_ascii(scene: Scene) -> None:
    (scene.folder / "à côté").mkdir()
    job = scene.folder / "à côté" / "работа 1.js"
    job.write_text(JOB)
    (scene.folder / "à côté" / "étape.json").write_text(
        json.dumps({"steps": [{"id": "a", "adaptor": "common", "expression": "./работа 1.js"}]})
    )
    shutil.copy(scene.folder / "patients.json", scene.folder / "à côté" / "入力.json")
    for file in ("работа 1.js' -a common", "étape.json'"):
        line = f"cd 'à côté' && holdfast run './{file} -i '@入力.json' -o '../résultat 1.json'"
        done = shell(scene.environment, scene.folder, line)
        assert done.returncode == 0, done.stderr
        written = json.loads((scene.folder / "résultat 1.json").read_text())
        assert written == {"data": [1], "seen": True}
        (scene.folder / "résultat 1.json").unlink()
