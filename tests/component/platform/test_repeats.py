"""A person who asks for a retry sees first what it does again."""

from __future__ import annotations

import uuid
from pathlib import Path

from click.testing import CliRunner, Result

from holdfast.cli.main import cli
from holdfast.model.errors import HoldfastError
from holdfast.model.json import JsonObject
from support.platform import FETCH, STORE, Served


def request(number: int, job: str, method: str, fate: str) -> JsonObject:
    return {"number": number, "job": job, "operation": 1, "method": method, "host": "a.org",
            "path": f"/p{number}", "fate": fate}  # fmt: skip


def failed_run(served: Served, seen: list[JsonObject] | None) -> tuple[str, str]:
    """A run whose second step failed: its id, and that of this step."""
    served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        first, second = talk.start_step(FETCH), str(uuid.uuid4())
        end = talk.step_end(first, FETCH)
        talk.ok("step:complete", end)
        start = {"step_id": second, "job_id": STORE, "timestamp": talk.now()}
        start["input_dataclip_id"] = end["output_dataclip_id"]
        talk.ok("step:start", start)
        error = {"reason": "fail", "error_type": "JobError"}
        talk.ok("step:complete", talk.step_end(second, STORE, **error))
        told = {} if seen is None else {"postmortem": {"requests": {"last": [*seen]}}}
        talk.complete(**error, **told)
    return talk.id, second


def retry(served: Served, folder: Path, *arguments: str) -> Result:
    where = ["--url", served.url, "--token", served.platform.keys.admin_token]
    return CliRunner().invoke(cli, ["runs", "retry", *arguments, *where, "--data", str(folder)])


def test_requests_of_the_step_and_of_those_after_it_are_shown(
    served: Served, tmp_path: Path
) -> None:
    seen = [
        request(1, FETCH, "GET", "answered"),
        request(2, STORE, "POST", "answered"),
        request(3, STORE, "GET", "answered"),
        request(4, STORE, "PUT", "never left"),
    ]
    run, step = failed_run(served, seen)
    shown = retry(served, tmp_path, run, "--from", "Store", "--dry-run").stderr
    assert "does again: Store\n" in shown
    assert "POST   a.org/p2" in shown
    assert "2 requests were seen, 1 of them may have changed something" in shown
    assert "p1" not in shown
    assert "p4" not in shown
    whole = retry(served, tmp_path, run, "--dry-run").stderr
    assert "does again: Fetch, Store" in whole
    assert "3 requests were seen" in whole
    assert len(served.client.get("/api/runs").json()["data"]) == 1, "nothing was started"
    done = retry(served, tmp_path, run, "--from", step[:8])
    assert "does again: Store" in done.stderr
    assert done.stdout.startswith("run ")
    wrong = retry(served, tmp_path, run, "--from", "Stoer").exception
    assert isinstance(wrong, HoldfastError)
    assert "It has: Fetch and Store" in str(wrong.fix)


def test_where_nobody_told_of_requests_nothing_is_claimed(served: Served, tmp_path: Path) -> None:
    run, step = failed_run(served, None)
    path = f"/api/runs/{run}/repeats"
    told = served.client.get(path, params={"step_id": step}).json()["data"]
    assert told["jobs"] == [{"id": STORE, "name": "Store"}]
    assert (told["requests"], told["left_out"], told["may_be_missing"]) == (None, 0, False)
    assert served.client.get(path, params={"step_id": "nope"}).status_code == 404
    assert "known on its worker's machine only" in retry(served, tmp_path, run, "--dry-run").stderr
