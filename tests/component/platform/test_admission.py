"""Who may use a webhook, how and how often, over HTTP."""

from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from holdfast.platform.access.webhook_keys import signature
from holdfast.platform.clock import SECOND, now
from holdfast.platform.project.deployment import to_payload
from holdfast.platform.project.read import read_project
from holdfast.platform.store import access_tables as a
from holdfast.platform.store import tables as t
from support.platform import PROJECT, TRIGGER, RunTalk, Served
from support.waiting import eventually

KEYS = "/api/projects/demo/webhook_keys"
SECRET = "a secret of many letters"


def guard(served: Served, keys: dict[str, str], **access: Any) -> None:
    """Deploy the project with these keys, all named by its trigger."""
    project = json.loads(json.dumps(PROJECT))
    current = served.client.get("/api/provision/demo").json()["data"]
    project["id"], project["workflows"][0]["id"] = current["id"], current["workflows"][0]["id"]
    project["webhook_keys"] = [{"name": name, "type": kind} for name, kind in keys.items()]
    wanted = {"keys": list(keys), **access}
    project["workflows"][0]["triggers"][0]["webhook_access"] = wanted
    served.deploy(project)


def put(served: Served, name: str, **asked: Any) -> dict[str, Any]:
    answer = served.client.put(f"{KEYS}/{name}", json=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def send(
    served: Served, headers: dict[str, str] | None = None, method: str = "POST", **more: Any
) -> Any:
    content = more.pop("content", b'{"n":1}')
    given = {"content-type": "application/json", **(headers or {})}
    with_token = {"authorization": ""} if "authorization" not in given else {}
    return served.client.request(
        method, f"/i/{TRIGGER}", content=content, headers={**with_token, **given}, **more
    )


def runs(served: Served) -> int:
    return int(served.client.get("/api/runs").json()["meta"]["total_entries"])


def test_a_declared_key_without_a_secret_keeps_everybody_out(served: Served) -> None:
    guard(served, {"partner": "api_key"})
    assert send(served).status_code == 401
    assert send(served, {"x-api-key": ""}).status_code == 404
    assert served.client.get(KEYS).json()["data"][0]["has_secret"] is False
    assert runs(served) == 0


def test_each_kind_of_key_opens_its_webhook(served: Served) -> None:
    guard(served, {"partner": "api_key", "clinic": "basic", "github": "hmac"})
    key = put(served, "partner", type="api_key")["secret"]
    put(served, "clinic", type="basic", username="jo", password="long-password")
    put(served, "github", type="hmac", secret=SECRET, window_seconds=300)
    body, stamp = b'{"n":1}', str(int(time.time()))
    good = [
        {"x-api-key": key},
        {"authorization": "Basic am86bG9uZy1wYXNzd29yZA=="},
        {"x-hub-timestamp": stamp,
         "x-hub-signature-256": signature(SECRET, stamp.encode() + b"." + body)},
    ]  # fmt: skip
    for headers in good:
        assert send(served, headers).status_code == 200, headers
    assert send(served).json() == {"error": "Unauthorized"}
    old = str(int(time.time()) - 301)
    late = signature(SECRET, old.encode() + b"." + body)
    for headers in (
        {"x-api-key": key[:-1]},
        {"authorization": "Basic am86eA=="},
        {"x-hub-signature-256": signature(SECRET, body)},
        {"x-hub-timestamp": old, "x-hub-signature-256": late},
    ):
        answer = send(served, headers)
        assert (answer.status_code, answer.json()) == (404, {"error": "Webhook not found"})
    assert runs(served) == 3
    with served.worker() as worker:
        stored = worker.take().ok("fetch:dataclip", {}).decode()
    assert key not in stored
    assert SECRET not in json.dumps(served.client.get("/api/provision/demo").json())
    assert key not in served.client.get(KEYS).text


def test_an_old_secret_stays_good_for_a_while(served: Served) -> None:
    guard(served, {"partner": "api_key"})
    first = put(served, "partner", type="api_key", keep_old_seconds=0)["secret"]
    second = put(served, "partner", type="api_key")["secret"]
    assert send(served, {"x-api-key": first}).status_code == 200
    assert served.client.get(KEYS).json()["data"][0]["old_secret_until"] is not None
    third = put(served, "partner", type="api_key")["secret"]
    for key in (first, second, third):
        assert send(served, {"x-api-key": key}).status_code == 200, "each stays good for its day"
    last = put(served, "partner", type="api_key", keep_old_seconds=0)["secret"]
    codes = [send(served, {"x-api-key": key}).status_code for key in (first, second, third, last)]
    assert codes == [404, 404, 404, 200]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"type": "api_key", "secret": "short"}, "at least 16"),
        ({"type": "hmac", "secret": 5}, "secret must be text"),
        ({"type": "basic", "username": "a:b", "password": "x" * 20}, "colon"),
        ({"type": "basic", "username": "a"}, "password must be text"),
        ({"type": "magic"}, "must be one of"),
        ({"type": "hmac", "window_seconds": -1}, "window_seconds"),
        ({"type": "hmac", "window_seconds": True}, "window_seconds"),
        ({"type": "api_key", "keep_old_seconds": 10**9}, "keep_old_seconds"),
        ({}, "type must be text"),
    ],
)
def test_bad_keys_are_refused(shared: Served, asked: dict[str, Any], words: str) -> None:
    answer = shared.client.put(f"{KEYS}/bad", json=asked)
    assert (answer.status_code, words in answer.text) == (422, True), answer.text
    assert shared.client.get(KEYS).json()["data"] == []


def test_a_key_in_use_is_not_removed(served: Served) -> None:
    guard(served, {"partner": "api_key"})
    refused = served.client.delete(f"{KEYS}/partner")
    assert (refused.status_code, "'Referrals' uses this key" in refused.text) == (409, True)
    guard(served, {})
    assert served.client.delete(f"{KEYS}/partner").status_code == 204
    assert served.client.delete(f"{KEYS}/partner").status_code == 404
    assert send(served).status_code == 200


@pytest.mark.parametrize(
    ("access", "words"),
    [
        ({"keys": ["unknown"]}, "no webhook key 'unknown'"),
        ({"methods": ["DELETE"]}, "must be one of POST, GET"),
        ({"origins": ["example.org"]}, "no origin"),
        ({"origins": "https://example.org"}, "list of texts"),
        ({"secrets": ["x"]}, "'secrets' is not known"),
        ("open", "must be a map"),
    ],
)
def test_bad_access_is_refused(shared: Served, access: Any, words: str) -> None:
    project = json.loads(json.dumps(PROJECT))
    current = shared.client.get("/api/provision/demo").json()["data"]
    project["id"], project["workflows"][0]["id"] = current["id"], current["workflows"][0]["id"]
    project["workflows"][0]["triggers"][0]["webhook_access"] = access
    answer = shared.client.post("/api/provision", json=project)
    assert (answer.status_code, words in answer.text) == (422, True), answer.text


def test_a_document_that_does_not_speak_of_access_changes_nothing(served: Served) -> None:
    guard(served, {"partner": "api_key"}, origins=["*"])
    current = served.client.get("/api/provision/demo").json()["data"]
    before = current["workflows"][0]["triggers"][0]["webhook_access"]
    assert before == {"keys": ["partner"], "origins": ["*"]}
    del current["workflows"][0]["triggers"][0]["webhook_access"], current["webhook_keys"]
    assert served.deploy(current)["holdfast"]["changes"] == []
    assert send(served).status_code == 401
    current["workflows"][0]["triggers"][0]["webhook_access"] = None
    served.deploy(current)
    assert send(served).status_code == 200


@pytest.mark.parametrize("form", [1, 2])
def test_a_project_file_says_who_may_use_a_webhook(
    served: Served, tmp_path: Path, form: int
) -> None:
    keys = "webhook_keys: {partner: {type: api_key}, github: {type: hmac}}\n"
    access = "{keys: [partner, github], methods: [GET, POST], origins: ['https://a.example']}"
    if form == 1:
        text = f"""name: filed
{keys}workflows:
  W:
    jobs: {{J: {{body: fn(s => s)}}}}
    triggers: {{hook: {{type: webhook, webhook_access: {access}}}}}
    edges: {{e: {{source_trigger: hook, target_job: J}}}}
"""
    else:
        text = f"""id: filed
schema_version: '4.0'
{keys}workflows:
  - name: W
    steps:
      - {{id: hook, type: webhook, webhook_access: {access}, next: j}}
      - {{id: j, expression: fn(s => s)}}
"""
    path = tmp_path / "project.yaml"
    path.write_text(text)
    done = served.deploy(to_payload(read_project(path), None))
    (trigger,) = done["data"]["workflows"][0]["triggers"]
    assert trigger["webhook_access"] == {
        "keys": ["partner", "github"], "methods": ["GET", "POST"],
        "origins": ["https://a.example"],
    }  # fmt: skip
    named = {item["name"]: item["type"] for item in done["data"]["webhook_keys"]}
    assert named == {"partner": "api_key", "github": "hmac"}
    path.write_text(text.replace(f"webhook_access: {access}", "enabled: true").replace(keys, ""))
    again = served.deploy(to_payload(read_project(path), done["data"]))
    assert again["data"]["workflows"][0]["triggers"][0]["webhook_access"]["keys"]
    path.write_text(text.replace(access, "{}"))
    opened = served.deploy(to_payload(read_project(path), done["data"]))
    assert "webhook_access" not in opened["data"]["workflows"][0]["triggers"][0]


def test_get_starts_a_run_where_the_trigger_says_so(served: Served) -> None:
    assert "POST to it" in send(served, method="GET", content=b"").text
    guard(served, {}, methods=["GET"])
    answer = send(served, method="GET", content=b"", params={"patient": "7", "ü": "é"})
    assert answer.status_code == 200
    with served.worker() as worker:
        clip = json.loads(worker.take().ok("fetch:dataclip", {}))
    assert clip["data"] == {"patient": "7", "ü": "é"}
    assert clip["request"]["method"] == "GET"
    assert send(served, method="HEAD", content=b"").status_code in {200, 405}
    assert runs(served) == 1, "looking starts nothing"
    refused = send(served)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET")


def test_a_signed_get_is_signed_over_its_query(served: Served) -> None:
    guard(served, {"github": "hmac"}, methods=["GET"])
    put(served, "github", type="hmac", secret=SECRET)

    def ask(query: str, signed: bytes) -> int:
        headers = {"authorization": "", "x-hub-signature-256": signature(SECRET, signed)}
        return served.client.get(f"/i/{TRIGGER}?{query}", headers=headers).status_code

    assert ask("patient=7", b"patient=7") == 200
    assert ask("", b"") == 200
    for query, signed in (("patient=8", b"patient=7"), ("patient=7", b"")):
        assert ask(query, signed) == 404, "a signature that was seen is good for one query only"


def test_a_compressed_body_is_refused_at_every_door(served: Served) -> None:
    for path in (f"/i/{TRIGGER}", "/api/provision", "/collections/x/y", "/login"):
        for coding in ("gzip", "br", "identity, gzip"):
            headers = {"content-encoding": coding, "content-type": "application/json"}
            answer = served.client.post(path, content=b"{}", headers=headers)
            assert answer.status_code == 415, path
            assert "Content-Encoding" in answer.text
    assert send(served, {"content-encoding": "identity"}).status_code == 200


def test_pages_of_named_origins_may_send(served: Served) -> None:
    guard(served, {}, origins=["https://forms.example.org"])
    ours, other = {"origin": "https://forms.example.org"}, {"origin": "https://evil.example"}
    ask = {"access-control-request-method": "POST"}
    preflight = send(served, {**ours, **ask}, method="OPTIONS")
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://forms.example.org"
    assert "idempotency-key" in preflight.headers["access-control-allow-headers"]
    answer = send(served, ours)
    assert answer.headers["access-control-allow-origin"] == "https://forms.example.org"
    assert "x-meta-run-id" in answer.headers["access-control-expose-headers"]
    for headers in (other, {}):
        for method in ("OPTIONS", "POST"):
            assert (
                "access-control-allow-origin" not in send(served, headers, method=method).headers
            )
    guard(served, {}, origins=["*"])
    assert send(served, other).headers["access-control-allow-origin"] == "*"


def test_the_same_key_means_the_same_work_order(served: Served) -> None:
    first = send(served, {"idempotency-key": "order-7"})
    again = send(served, {"idempotency-key": "order-7"})
    other = send(served, {"idempotency-key": "order-8"})
    assert first.json() == again.json()
    assert again.headers["x-meta-run-id"] == first.headers["x-meta-run-id"]
    assert other.json() != first.json()
    assert runs(served) == 2
    for bad in ("", "x" * 256):
        assert send(served, {"idempotency-key": bad}).status_code == 400
    served.write(
        lambda tx: tx.connection.execute(
            update(a.idempotency_keys).values(inserted_at=now() - 24 * 3600 * SECOND)
        )
    )
    assert send(served, {"idempotency-key": "order-7"}).json() != first.json(), "a day is over"
    count = select(func.count()).select_from(a.idempotency_keys)
    assert served.write(lambda tx: tx.connection.scalar(count)) == 1


def test_many_at_once_with_one_key_make_one_work_order(served: Served) -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: send(served, {"idempotency-key": "same"}), range(24)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["work_order_id"] for answer in answers}) == 1
    clips = select(func.count()).select_from(t.dataclips)
    assert served.write(lambda tx: tx.connection.scalar(clips)) == 1


def test_a_repeated_request_gets_the_answer_of_the_run_that_ended(served: Served) -> None:
    job, hook = str(uuid.uuid4()), str(uuid.uuid4())
    served.deploy({
        "name": "sync",
        "workflows": [{
            "name": "S",
            "jobs": [{"id": job, "name": "J", "body": "fn(s => s)"}],
            "triggers": [{"id": hook, "type": "webhook", "enabled": True,
                          "webhook_reply": "after_completion"}],
            "edges": [{"source_trigger_id": hook, "target_job_id": job}],
        }],
    })  # fmt: skip
    headers = {"idempotency-key": "once"}
    with ThreadPoolExecutor(1) as pool, served.worker() as worker:
        waiting = pool.submit(served.client.post, f"/i/{hook}", json={"n": 1}, headers=headers)
        worker.join_queue()
        while not (claimed := worker.claim()):
            worker.wait_for_push("work-available")
        worker.join_run(claimed[0])
        talk = RunTalk(worker, claimed[0])
        talk.start()
        step = talk.start_step(job)
        end = talk.step_end(step, job)
        talk.ok("step:complete", end)
        talk.complete(final_dataclip_id=end["output_dataclip_id"])
        first = waiting.result(30)
    again = served.client.post(f"/i/{hook}", json={"n": 1}, headers=headers)
    assert (first.status_code, first.json()) == (again.status_code, again.json())


def test_who_guesses_or_asks_too_often_has_to_wait(data: Path) -> None:
    with Served(data, webhooks_per_second=0.2) as served:
        served.deploy()
        assert [send(served).status_code for _ in range(3)] == [200, 200, 429]
        guard(served, {"partner": "api_key"})

        def guess() -> int:
            return int(send(served, {"x-api-key": "guess"}).status_code)

        # What was found of a trigger counts for a second: the limit of its webhook comes first.
        eventually(lambda: guess() == 404, "the trigger is read again")
        codes = [guess() for _ in range(19)]
        assert codes == [404] * 19
        while codes[-1] == 404:  # a guess comes back every ten seconds
            codes.append(guess())
        assert codes[-1] == 429
        refused = send(served, {"x-api-key": "guess"})
        assert 1 <= int(refused.headers["retry-after"]) <= 10
        assert "Try again in" in refused.json()["message"]
