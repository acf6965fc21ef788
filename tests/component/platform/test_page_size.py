"""Everything shown is cut: a page stays small whatever a run has left behind."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import insert

from holdfast.platform.store import tables as t
from holdfast.platform.web import document
from holdfast.platform.workers import events
from support.platform import FETCH, STORE, RunTalk, Served

#: Bytes of a page of a run, whatever it has to show.
LARGEST = 2_000_000
MB = 1_000_000


@pytest.fixture
def talk(served: Served) -> Iterator[RunTalk]:
    served.post()
    with served.worker() as worker:
        run = worker.take()
        run.start()
        yield run


def pages(served: Served, run_id: str) -> str:
    """All pages that show something of this run."""
    texts = []
    workflow = served.client.get("/api/provision/demo").json()["data"]["workflows"][0]["id"]
    steps = [f"/runs/{run_id}?step={step['id']}" for step in served.steps(run_id)[:2]]
    for path in ("/", "/runs", f"/runs/{run_id}", f"/workflows/{workflow}", *steps):
        answer = served.client.get(path)
        assert answer.status_code == 200, path
        assert len(answer.content) < LARGEST, (path, len(answer.content))
        texts.append(answer.text)
    return "".join(texts)


def add_lines(served: Served, run_id: str, number: int, size: int) -> None:
    rows = [
        {"run_id": run_id, "number": n + 1, "line_id": f"l{n}", "timestamp": n, "level": "info",
         "source": "JOB", "message": f"<{n}>" + "\u00e9\"" * (size // 2)}
        for n in range(number)
    ]  # fmt: skip
    served.write(lambda tx: tx.connection.execute(insert(t.log_lines), rows))


def test_long_lines_are_cut_on_the_page_and_whole_in_the_api(
    served: Served, talk: RunTalk
) -> None:
    add_lines(served, talk.id, 12, MB)
    assert f"{MB + 3:,} characters" in pages(served, talk.id)
    read, after = list[int](), 0
    while lines := served.client.get(f"/api/runs/{talk.id}/logs?after={after}").json()["data"]:
        assert sum(len(line["message"]) for line in lines) < 5 * MB
        read += [len(line["message"]) for line in lines]
        after = lines[-1]["number"]
    assert len(read) == 12
    assert min(read) == MB + 3
    listed = served.client.get(f"/api/log_lines?run_id={talk.id}&page_size=100")
    assert len(listed.content) < 10 * MB
    assert listed.json()["data"][0]["attributes"]["truncated"] is True


def test_many_lines_come_in_pieces(served: Served, talk: RunTalk) -> None:
    add_lines(served, talk.id, 3000, 1000)
    text = pages(served, talk.id)
    assert "&lt;0&gt;" in text
    assert "&lt;2999&gt;" not in text, "it follows while the page is open"
    seen = 0
    with served.client.stream("GET", f"/runs/{talk.id}/events?after=0") as stream:
        for line in stream.iter_lines():
            assert len(line) < LARGEST
            seen += line.count('id=\\"L')
            if "&lt;2999&gt;" in line:
                break
    assert seen == 3000


DOCUMENTS = {
    "long text": json.dumps({"data": '<&"' * (2 * MB)}),
    "many values": json.dumps({"data": list(range(MB))}),
    "deep and wide": '{"data":' + "[" * 90 + ",".join("1" * 40_000) + "]" * 90 + "}",
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_large_documents_are_cut(served: Served, name: str) -> None:
    document = DOCUMENTS[name]
    run_id = served.client.post(
        f"/api/workflows/{workflow_of(served)}/runs", json={"input": json.loads(document)}
    ).json()["run_id"]
    with served.worker() as worker:
        talk = worker.take()
        assert talk.id == run_id
        talk.start()
        step = talk.start_step()
        end = talk.step_end(step, output_dataclip=document)
        talk.ok("step:complete", end)
        talk.complete(final_dataclip_id=end["output_dataclip_id"])
    text = pages(served, run_id)
    assert "…" in text
    whole = served.client.get(f"/api/dataclips/{end['output_dataclip_id']}/body")
    assert whole.json() == json.loads(document)


def workflow_of(served: Served) -> str:
    found = served.client.get("/api/provision/demo").json()["data"]
    return str(found["workflows"][0]["id"])


def test_errors_facts_and_post_mortems_are_cut(served: Served, talk: RunTalk) -> None:
    huge = "<" * (2 * MB)
    talk.ok("run:start", {"timestamp": talk.now(), "versions": {"worker": huge}})
    step = talk.start_step()
    error: dict[str, Any] = {"reason": "fail", "error_type": huge, "error_message": huge}
    talk.ok("step:complete", talk.step_end(step, mem={"job": huge}, **error))
    deep: Any = ["<<"] * 50_000
    for _ in range(60):
        deep = [deep]
    postmortem = {
        "advice": "<" * 50_000,
        "timeline": [{"ms": 1, "what": "<" * 100}] * 2000,
        "last_lines": ["<" * 100_000] * 3,
        "evidence": deep,
    }
    answer = talk.complete(final_dataclip_id=huge, postmortem=postmortem, **error)
    assert answer["status"] == "ok"
    pages(served, talk.id)
    for path in ("/api/runs", f"/api/runs/{talk.id}", f"/api/runs/{talk.id}/steps"):
        assert len(served.client.get(path).content) < LARGEST, path


def test_a_run_has_so_many_steps_at_most(
    served: Served, talk: RunTalk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_STEPS", 5)
    for _ in range(5):
        talk.start_step()
    start = {"step_id": str(uuid.uuid4()), "job_id": FETCH, "timestamp": talk.now()}
    assert "step_id" in talk.push("step:start", start)["response"]["errors"]
    end = talk.step_end(str(uuid.uuid4()))
    assert "step_id" in talk.push("step:complete", end)["response"]["errors"]
    assert len(served.steps(talk.id)) == 5
    assert talk.complete()["status"] == "ok"


@pytest.mark.parametrize("after", ["\u00b2", "-1", "x", "9" * 30])
def test_a_line_number_must_be_one(shared: Served, after: str) -> None:
    answer = shared.client.get("/api/runs/x/logs", params={"after": after})
    assert answer.status_code == 422


def step_after(talk: RunTalk, value: int, **ends: Any) -> None:
    """Fetch and Store; what Fetch has made is Store's input."""
    first = talk.step_end(talk.start_step(), output_dataclip=json.dumps({"data": value}))
    talk.ok("step:complete", first)
    clip, second = first["output_dataclip_id"], str(uuid.uuid4())
    begins = {"step_id": second, "job_id": STORE, "timestamp": talk.now()}
    talk.ok("step:start", {**begins, "input_dataclip_id": clip})
    talk.ok("step:complete", talk.step_end(second, STORE, **ends))
    talk.complete(**ends)


def test_a_comparison_reads_a_few_documents_first_those_of_steps_that_ended_otherwise(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.post({"n": 1})
    bad = served.post({"n": 1})
    with served.worker() as worker:
        for value, ends in ((1, {}), (2, {"reason": "fail", "error_type": "E"})):
            talk = worker.take()
            talk.start()
            step_after(talk, value, **ends)
    page = f"/runs/{bad}/compare"
    whole = served.client.get(page).text
    assert whole.count('<td class="mono">data</td>') == 1
    assert "too much to compare" not in whole
    # the inputs of the runs are read, those of the steps are not
    monkeypatch.setattr(document, "_DOCUMENTS", 2)
    assert served.client.get(page).text.count("too much to compare") == 1
    monkeypatch.undo()
    clip = served.client.get(f"/api/runs/{bad}").json()["data"]["relationships"]["dataclip"]
    size = len(served.client.get(f"/api/dataclips/{clip['data']['id']}/body?as=state").text)
    monkeypatch.setattr(document, "_CHARACTERS", size + 1)
    assert served.client.get(page).text.count("too much to compare") == 1
