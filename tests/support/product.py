"""The whole product, started with its real command, and what a user does with it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from holdfast.adaptors import Store
from support import command
from support.waiting import eventually

FINAL = {"success", "failed", "crashed", "cancelled", "killed", "exception", "lost"}
COMMON = "@openfn/language-common@3.3.4"


def _client() -> httpx.Client:
    """One for all calls: a new one would read certificates again, which takes 30 ms.

    It keeps no connection, so nobody need close it.
    """
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.Client(timeout=30, trust_env=False, limits=limits)


@dataclass
class Product:
    """`holdfast up` on a free port, and what a user does with it."""

    up: command.Command
    url: str
    data: Path
    folder: Path
    web: httpx.Client = field(default_factory=_client)

    def deploy(
        self,
        name: str,
        body: str,
        reply: str | None = None,
        *,
        record: bool = False,
        **more: object,
    ) -> str:
        """A project with one workflow of one job and `more`; the address of its webhook.

        `reply`: when it answers, if not at once. `record`: its runs are kept for replays.
        """
        job = {"name": "Only", "adaptor": COMMON, "body": body}
        edge = {"source_trigger": "webhook", "target_job": "Only", "condition_type": "always"}
        answers = {} if reply is None else {"webhook_reply": reply}
        workflow = {
            "name": name,
            "jobs": {"Only": job},
            "triggers": {"webhook": {"type": "webhook", "enabled": True, **answers}},
            "edges": {"webhook->Only": {**edge, "enabled": True}},
            **more,
        }
        path = self.folder / f"{name}.yaml"
        project = {"name": name, "record": record, "workflows": {name: workflow}}
        path.write_text(yaml.safe_dump(project))
        done = command.run("deploy", str(path), "--data", str(self.data), "--json")
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["webhooks"][0]["url"])

    def change_code(self, name: str, body: str) -> None:
        """Give the one job of this workflow other code, unchecked, as a program of others may."""
        [found] = [w for w in self.get("/api/workflows")["workflows"] if w["name"] == name]
        changed = {"jobs": [{**job, "body": body} for job in found["jobs"]]}
        token = (self.data / "admin-token").read_text()
        headers = {"authorization": f"Bearer {token}"}
        answer = self.web.patch(
            f"{self.url}/api/workflows/{found['id']}", json=changed, headers=headers
        )
        assert answer.status_code == 200, answer.text

    def send(self, webhook: str, body: Any) -> str:
        """Post to a webhook; the id of the run."""
        answer = self.web.post(webhook, json=body)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-meta-run-id"]

    def get(self, path: str) -> Any:
        token = (self.data / "admin-token").read_text()
        answer = self.web.get(self.url + path, headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run(self, run_id: str) -> dict[str, Any]:
        attributes: dict[str, Any] = self.get(f"/api/runs/{run_id}")["data"]["attributes"]
        return attributes

    def finished(self, run_id: str, seconds: float = 60) -> dict[str, Any]:
        """The run once it is final."""

        def probe() -> dict[str, Any] | None:
            run = self.run(run_id)
            return run if run["state"] in FINAL else None

        return eventually(probe, f"run {run_id} is final\n{self.up.output[-3000:]}", seconds)

    def steps(self, run_id: str) -> list[dict[str, Any]]:
        return [item["attributes"] for item in self.get(f"/api/runs/{run_id}/steps")["data"]]

    def output(self, step: dict[str, Any]) -> Any:
        return self.get(f"/api/dataclips/{step['output_dataclip_id']}/body")

    def logs(self, run_id: str) -> str:
        return "\n".join(
            str(line["message"]) for line in self.get(f"/api/runs/{run_id}/logs")["data"]
        )


def start(data: Path, folder: Path, store: Store, *arguments: str) -> Product:
    up = command.Command(
        *("up", "--data", str(data), "--port", "0", "--egress", "open", *arguments),
        env={"WORKER_REPO_DIR": str(store.root), "HOLDFAST_DATA": str(data)},
    )
    try:
        url = up.wait_for_line(r"Holdfast is ready: (\S+)")[1]
        up.wait_for_line("connection.up")
    except BaseException:
        up.kill()
        raise
    return Product(up, url, data, folder)
