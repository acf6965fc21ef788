"""What a job can do on the platform that runs it: use its project's Collections, nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast.adaptors import Store
from support import command
from support.product import COMMON, start

#: Tries every door of the platform, as a program on its machine that forges what a browser says.
ATTACK = """
fn(async state => {
  const at = 'URL';
  const headers = { origin: at, 'sec-fetch-site': 'same-origin',
    'content-type': 'application/x-www-form-urlencoded' };
  const tries = [['GET', '/'], ['GET', '/api/runs'], ['GET', '/api/log_lines'],
    ['GET', '/workers'], ['GET', '/api/provision/attack'], ['POST', '/api/provision'],
    ['POST', '/runs/x/retry'],
    ['GET', '/collections/codes'], ['POST', '/api/session_links'], ['GET', '/events']];
  const data = {};
  for (const [method, path] of tries) {
    try {
      const answer = await fetch(at + path, { method, headers, redirect: 'manual' });
      data[`${method} ${path}`] = answer.status;
    } catch { data[`${method} ${path}`] = 'unreachable'; }
  }
  return { ...state, data };
})
"""
COLLECT = """
collections.set('codes', 'k', { n: 1 });
collections.get('codes', 'k');
fn(state => ({ data: state.data }));
"""


def project(body: str) -> dict[str, Any]:
    job = {"name": "Only", "adaptor": COMMON, "body": body}
    edge = {"source_trigger": "webhook", "target_job": "Only", "condition_type": "always"}
    workflow = {
        "name": "attack",
        "jobs": {"Only": job},
        "triggers": {"webhook": {"type": "webhook", "enabled": True}},
        "edges": {"webhook->Only": {**edge, "enabled": True}},
    }
    return {
        "name": "attack",
        "collections": {"codes": {"name": "codes"}},
        "workflows": {"attack": workflow},
    }


@pytest.mark.parametrize("egress", ["none", "open"])
def test_a_job_reaches_collections_and_no_other_door(
    tmp_path: Path, adaptor_store: Store, egress: str
) -> None:
    product = start(tmp_path / "data", tmp_path, adaptor_store, "--egress", egress)
    try:
        outputs = []
        for body in (ATTACK.replace("URL", product.url), COLLECT):
            path = tmp_path / "attack.yaml"
            path.write_text(yaml.safe_dump(project(body)))
            done = command.run("deploy", str(path), "--data", str(product.data), "--json")
            assert done.returncode == 0, done.stderr
            webhook = yaml.safe_load(done.stdout)["webhooks"][0]["url"]
            run_id = product.send(webhook, {})
            run = product.finished(run_id)
            assert run["state"] == "success", (run, product.logs(run_id))
            outputs.append(product.output(product.steps(run_id)[0])["data"])
        attacked, collected = outputs
        closed = {401, 303} if egress == "open" else {"unreachable"}
        assert set(attacked.values()) <= closed, attacked
        assert len(attacked) == 10
        assert collected["n"] == 1
    finally:
        assert product.up.stop() == 0, product.up.output[-3000:]
