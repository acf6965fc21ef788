"""`make demo`: the working product, with a sample workflow that has really run.

Serves a reference service on loopback, starts `holdfast up`, deploys the project beside this
file, sends its webhook a bundle of patients, and tells what became of the run. Stays up until
interrupted; `--once` ends after the run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
from reference_service import ReferenceService

HERE = Path(__file__).resolve().parent
ADAPTORS = ["@openfn/language-http@7.2.10", "@openfn/language-common@3.3.4"]
HOLDFAST = [sys.executable, "-m", "holdfast.cli.main"]
FINAL = {"success", "failed", "crashed", "cancelled", "killed", "exception", "lost"}


class DemoError(Exception):
    """The demo cannot go on; the text says what to do."""


def say(text: str) -> None:
    print(text, flush=True)


def free_port(wanted: int) -> int:
    """The wanted port, or any free one when something else has it."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    message = "no free port on 127.0.0.1"
    raise DemoError(message)


def holdfast(*arguments: str) -> str:
    """Run a holdfast command to its end; its standard output."""
    done = subprocess.run([*HOLDFAST, *arguments], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        message = f"`holdfast {arguments[0]}` ended with code {done.returncode}"
        raise DemoError(message)
    return done.stdout


class Product:
    """`holdfast up` as a child process, its log in a file."""

    def __init__(self, data: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.data = data
        self.log = data / "demo.log"
        data.mkdir(parents=True, exist_ok=True)
        command = [*HOLDFAST, "up", "--data", str(data), "--port", str(port), "--egress", "open"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def wait_until_ready(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                tail = self.log.read_text(errors="replace")[-2000:]
                message = f"holdfast up ended with code {self.process.returncode}:\n{tail}"
                raise DemoError(message)
            try:
                if httpx.get(f"{self.url}/ready", timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        message = f"holdfast up was not ready within {seconds:.0f} s; its log: {self.log}"
        raise DemoError(message)

    def wait_for_worker(self, seconds: float = 60) -> None:
        """A run that is sent before a worker is there waits for it, and tells nothing of us."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if any(worker["connected"] for worker in self.get("/api/workers")):
                return
            time.sleep(0.02)
        message = f"no worker was there within {seconds:.0f} s; the log: {self.log}"
        raise DemoError(message)

    def get(self, path: str) -> Any:
        """What the API has at a path, asked with the token in the data folder."""
        token = (self.data / "admin-token").read_text()
        answer = httpx.get(self.url + path, headers={"authorization": f"Bearer {token}"})
        return answer.raise_for_status().json()["data"]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


def project_for(reference_url: str, target: Path) -> Path:
    """A copy of the project that knows where the reference service listens today."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(HERE / "jobs", target / "jobs")
    for job in (target / "jobs").iterdir():
        job.write_text(job.read_text().replace("REFERENCE_URL", reference_url))
    shutil.copy(HERE / "project.yaml", target / "project.yaml")
    return target / "project.yaml"


def send(webhook: str) -> str:
    """Post the bundle; the id of the run it started."""
    body = (HERE / "patients.json").read_bytes()
    answer = httpx.post(webhook, content=body, headers={"content-type": "application/json"})
    answer.raise_for_status()
    return answer.headers["x-meta-run-id"]


def wait_for(product: Product, run: str, seconds: float = 120) -> dict[str, object]:
    """The run's attributes once it is final."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        attributes: dict[str, object] = product.get(f"/api/runs/{run}")["attributes"]
        if attributes["state"] in FINAL:
            return attributes
        time.sleep(0.02)
    message = f"the run did not end within {seconds:.0f} s: {product.url}/runs/{run}"
    raise DemoError(message)


def tell(product: Product, run: str, attributes: dict[str, object], seconds: float) -> None:
    say(f"\n  run {run}: {attributes['state']} ({seconds * 1000:.0f} ms from webhook to the end)")
    if attributes.get("error_type"):
        say(f"  {attributes['error_type']}: {attributes.get('error_message')}")
    for step in product.get(f"/api/runs/{run}/steps"):
        detail = step["attributes"]
        say(f"    {detail['job_name']:<18} {detail['exit_reason'] or 'running'}")


def demo(arguments: argparse.Namespace) -> int:
    folder = Path(arguments.data).resolve()
    say("==> installing adaptors")
    os.environ.setdefault("WORKER_REPO_DIR", str(folder / "adaptors"))
    holdfast("adaptors", "install", *ADAPTORS)
    with ReferenceService() as reference:
        project = project_for(reference.url, folder / "project")
        say("==> starting holdfast up")
        product = Product(folder / "data", free_port(arguments.port))
        try:
            product.wait_until_ready()
            say("==> deploying the sample project")
            told = holdfast(
                "deploy", str(project), "--url", product.url, "--data", str(folder / "data"),
                "--json",
            )  # fmt: skip
            webhook = json.loads(told)["webhooks"][0]["url"]
            product.wait_for_worker()
            say(f"==> sending a bundle of 5 patients to {webhook}")
            started = time.monotonic()
            run = send(webhook)
            attributes = wait_for(product, run)
            tell(product, run, attributes, time.monotonic() - started)
            say(f"    the register now holds {len(reference.register)} patients")
            link = holdfast("open", "--print", "--data", str(product.data)).strip()
            say(f"\n  see it:  {link}?next=/runs/{run}")
            say("           (logs you in once, within ten minutes; `holdfast open` makes more)\n")
            succeeded = attributes["state"] == "success"
            if not arguments.once:
                say("  Ctrl-C stops it. Send another one with:")
                say("    curl -H content-type:application/json \\")
                say(f"      -d @{HERE / 'patients.json'} {webhook}")
                product.process.wait()
            return 0 if succeeded else 1
        finally:
            product.stop()


def interrupted(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--once", action="store_true", help="end after the run")
    parser.add_argument("--port", type=int, default=4000, help="of the platform (4000)")
    parser.add_argument("--data", default=".demo", help="folder for its data (.demo)")
    signal.signal(signal.SIGTERM, interrupted)
    try:
        return demo(parser.parse_args())
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        say("\nstopped")
        return 0


if __name__ == "__main__":
    sys.exit(main())
