"""The page on which a workflow is edited, without a browser: rights, checks, and saving."""

from __future__ import annotations

import asyncio
import html
import json
import pathlib
import re
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace
from typing import Any

import httpx
import pytest

from holdfast.platform.web import codechecks, editpage
from holdfast.platform.web.draft import Draft, Path, Step, from_document
from holdfast.platform.web.tried import inputs_of
from support.platform import Served


def flow_of(served: Served) -> dict[str, Any]:
    found: dict[str, Any] = served.client.get("/api/provision/demo").json()["data"]
    flow: dict[str, Any] = found["workflows"][0]
    return flow


def form_of(flow: dict[str, Any], **changed: str) -> dict[str, str]:
    """The fields of the editing page, which hold the whole workflow."""
    draft = from_document(flow)
    fields = {"name": draft.name, "base": str(draft.base)}
    for step in draft.steps:
        own = f"job:{step.id}"
        fields |= {f"{own}:name": step.name, f"{own}:adaptor": step.adaptor,
                   f"{own}:credential": step.credential, f"{own}:body": step.body}  # fmt: skip
    for path in draft.paths:
        own = f"edge:{path.id}"
        fields |= {f"{own}:source": path.source, f"{own}:target": path.target,
                   f"{own}:condition": path.condition, f"{own}:expression": path.expression,
                   f"{own}:on": "yes"}  # fmt: skip
    for begin in draft.begins:
        fields |= {f"trigger:{begin.id}:type": begin.type, f"trigger:{begin.id}:on": "yes"}
    return fields | changed


def save(client: httpx.Client, flow: dict[str, Any], act: str, **changed: str) -> httpx.Response:
    return client.post(f"/workflows/{flow['id']}/edit", data=form_of(flow, act=act, **changed))


def test_saving_and_running_needs_the_right_to_run(served: Served) -> None:
    flow = flow_of(served)
    asked = {"name": "deploys", "project_id": "demo", "scopes": ["read", "deploy"]}
    token = served.client.post("/api/tokens", json=asked).json()["token"]
    head = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=served.url, headers=head, timeout=30) as narrow:
        page = narrow.get(f"/workflows/{flow['id']}/edit").text
        assert 'value="save"' in page
        assert 'value="save-run"' not in page
        answer = save(narrow, flow, "save-run", name="Renamed")
        assert answer.status_code == 403
        assert "a token with the scope run" in answer.text
        assert flow_of(served) == flow
        assert served.client.get("/api/runs").json()["data"] == []
        assert save(narrow, flow, "save", name="Renamed").status_code == 303
    assert 'value="save-run"' in served.client.get(f"/workflows/{flow['id']}/edit").text


def test_a_webhook_gets_a_path_and_a_key(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    key = {"type": "api_key", "secret": "k" * 40}
    served.client.put("/api/projects/demo/webhook_keys/partner", json=key)
    flow = flow_of(served)
    own = f"trigger:{flow['triggers'][0]['id']}"
    monkeypatch.setattr(codechecks, "_SECONDS", 0.0)
    hook = {f"{own}:hook": "yes", f"{own}:path": "new-patients", f"{own}:key:partner": "yes"}
    assert f'name="{own}:key:partner"' in served.client.get(f"/workflows/{flow['id']}/edit").text
    refused = save(served.client, flow, "save-anyway", **{**hook, f"{own}:path": "No Path"})
    assert refused.status_code == 422
    assert "custom_path" in refused.text
    assert save(served.client, flow, "save-anyway", **hook).status_code == 303
    project = served.client.get("/api/projects").json()["data"][0]["id"]
    path = f"/i/{project}/new-patients"
    assert httpx.post(served.url + path, json={}).status_code == 401
    assert httpx.post(served.url + path, json={}, headers={"x-api-key": "k" * 40}).is_success
    kept = save(served.client, flow_of(served), "save-anyway", name="Renamed")
    assert kept.status_code == 303, "a form that does not speak of keys"
    assert httpx.post(served.url + path, json={}).status_code == 401
    assert save(
        served.client, flow_of(served), "save-anyway", **{f"{own}:hook": "yes"}
    ).is_redirect
    assert httpx.post(f"{served.url}/i/{flow['triggers'][0]['id']}", json={}).is_success


def test_code_that_was_not_checked_is_saved_only_on_demand(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = flow_of(served)
    monkeypatch.setattr(codechecks, "_SECONDS", 0.0)
    answer = save(served.client, flow, "save", name="Renamed")
    assert answer.status_code == 422
    assert "Not saved: the code was not checked." in answer.text
    assert "The checks took too long." in answer.text
    assert 'value="save-anyway"' in answer.text
    assert flow_of(served) == flow
    checked = served.client.post(
        f"/workflows/{flow['id']}/draft", data=form_of(flow, act="check")
    ).text
    assert "Not checked" in checked
    assert "Not saved" not in checked
    assert save(served.client, flow, "save-anyway", name="Renamed").status_code == 303
    assert flow_of(served)["name"] == "Renamed"


def test_who_has_many_checks_under_way_is_told_so_and_holds_up_nobody(served: Served) -> None:
    flow, turns = flow_of(served), served.platform.checks

    async def hold() -> tuple[httpx.Response, httpx.Response]:
        async with turns.take("a"):
            waiting = [asyncio.create_task(_take(turns, "a")) for _ in range(2)]
            await asyncio.sleep(0)
            other = await asyncio.to_thread(check)
            waiting += [asyncio.create_task(_take(turns, f"other {n // 3}")) for n in range(13)]
            await asyncio.sleep(0)
            busy = await asyncio.to_thread(check)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        return other, busy

    def check() -> httpx.Response:
        return served.client.post(f"/workflows/{flow['id']}/check", data=form_of(flow))

    other, busy = asyncio.run_coroutine_threadsafe(hold(), served._loop).result(60)
    assert (other.status_code, other.json()["trouble"]) == (200, None)
    assert "Too many checks" in busy.json()["trouble"]


def test_a_check_that_nobody_waits_for_any_more_ends(served: Served) -> None:
    flow, turns = flow_of(served), served.platform.checks
    who = served.client.get("/api/me").json()["data"]["user_id"]

    async def leave() -> None:
        async with turns.take(who):
            path = f"{served.url}/workflows/{flow['id']}/check"
            async with httpx.AsyncClient(headers=served.client.headers) as client:
                asking = asyncio.create_task(client.post(path, data=form_of(flow)))
                while turns.places._taken[who] < 2:  # noqa: ASYNC110 - it has no event
                    await asyncio.sleep(0.01)
                asking.cancel()
                while turns.places._taken[who] > 1:  # noqa: ASYNC110 - it has no event
                    await asyncio.sleep(0.01)

    asyncio.run_coroutine_threadsafe(leave(), served._loop).result(60)


def test_what_others_changed_and_what_is_wrong_is_told_by_names(served: Served) -> None:
    flow, client = flow_of(served), served.client
    asked = {
        "credentials": {"name": "clinic-login", "body": {}},
        "keychains": {"name": "clinics", "path": "$.clinic"},
    }
    made = {
        kind: client.post(f"/api/projects/demo/{kind}", json=body).json()["data"]["id"]
        for kind, body in asked.items()
    }
    first, second = (job["id"] for job in flow["jobs"])
    jobs = [
        {"id": first, "keychain_credential_id": made["keychains"]},
        {"id": second, "project_credential_id": made["credentials"]},
    ]
    project = client.get("/api/provision/demo").json()["data"]["id"]
    served.deploy({"id": project, "workflows": [{"id": flow["id"], "jobs": jobs}]})
    conflict = save(client, flow, "save").text
    assert "<ins>clinics</ins>" in conflict
    assert "<ins>clinic-login</ins>" in conflict
    gone = {f"job:{first}:credential": "00000000-0000-0000-0000-0000000000ff"}
    wrong = save(client, flow_of(served), "save", **gone).text
    assert "job Fetch: credential (gone) is not in" in wrong
    served.deploy({"id": project, "workflows": [
        {"id": flow["id"], "jobs": [{"id": first, "keychain_credential_id": None},
                                    {"id": second, "delete": True}]}]})  # fmt: skip
    conflict = save(client, flow, "save", base="2").text
    assert "<del>clinics</del>" in conflict
    assert "Removed: job Store" in conflict
    assert "Removed: edge Fetch-&gt;Store" in conflict
    assert client.delete(f"/api/keychains/{made['keychains']}").status_code == 204
    old = client.get(f"/workflows/{flow['id']}", params={"version": 3}).text
    assert "<del>a keychain credential that is gone</del>" in old


async def _take(turns: Any, owner: str) -> None:
    async with turns.take(owner):
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    "draft",
    [
        Draft(steps=[Step("a", body="x" * 500_001)]),
        Draft(paths=[Path("a", condition="js_expression", expression="x" * 500_001)]),
        Draft(steps=[Step(str(number), body="x") for number in range(501)]),
    ],
)
async def test_too_much_is_not_checked(draft: Draft, shared: Served) -> None:
    found = await codechecks.check(shared.platform, draft)
    assert "too long" in found["trouble"]


async def test_the_checks_take_no_module_of_the_folder_they_begin_in(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "resource.py").write_text("raise SystemExit('a stranger')")
    monkeypatch.chdir(tmp_path)
    asked = {"store": str(tmp_path), "codes": [], "conditions": [{"id": "a", "text": "1 +"}]}
    found = await codechecks._ask(json.dumps(asked).encode())
    assert (found["trouble"], list(found["found"])) == (None, ["a"])


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("bytearray(2 * 1024**3)", "MemoryError"),
        ("open('file', 'wb', 0).write(b'x')", "File too large"),
    ],
)
def test_the_checks_have_little_memory_and_write_no_file(
    does: str, said: str, tmp_path: pathlib.Path
) -> None:
    code = f"from holdfast.checking.__main__ import limit_self; limit_self(); {does}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert said in done.stderr


def test_a_run_shows_what_has_changed_since(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codechecks, "_SECONDS", 0.0)
    run, flow = served.post(), flow_of(served)
    job = flow["jobs"][0]["id"]
    path = f"/runs/{run}?job={job}"
    assert "What has changed since" not in served.client.get(path).text
    new = {f"job:{job}:body": "fn(s => ({ ...s, mended: true }))"}
    assert save(served.client, flow, "save-anyway", **new).status_code == 303
    text = served.client.get(path).text
    assert "What has changed since version 1" in text
    assert "+fn(s =&gt; ({ ...s, mended: true }))" in text


def test_the_text_and_the_forms_follow_each_other(served: Served) -> None:
    flow = flow_of(served)

    def taken(text: str) -> str:
        asked = form_of(flow, act="take-text", text=text)
        return served.client.post(f"/workflows/{flow['id']}/draft", data=asked).text

    page = served.client.get(f"/workflows/{flow['id']}/edit").text
    shown = html.unescape(page.partition('name="text"')[2].partition(">\n")[2].partition("<")[0])
    assert "name: Fetch" in shown
    after = taken(shown.replace("name: Fetch", "name: Fetch them"))
    assert f'name="job:{flow["jobs"][0]["id"]}:name" value="Fetch them"' in after
    assert "name: Fetch them" in html.unescape(after)
    refused = html.unescape(taken(shown.replace("target_job:", "target:")))
    assert "workflow.yaml:" in refused
    assert "It cannot be saved" in refused
    assert "target: Fetch" in refused
    assert flow_of(served) == flow


def shown_text(page: str) -> dict[str, str]:
    """The text of the page, and what it says that it wrote there."""
    text = page.partition('name="text"')[2].partition(">\n")[2].partition("</textarea>")[0]
    of = page.partition('name="text-of" value="')[2].partition('"')[0]
    return {"text": html.unescape(text), "text-of": of}


def test_no_button_loses_a_text_that_was_typed(served: Served) -> None:
    flow = flow_of(served)
    own = f"/workflows/{flow['id']}"
    first = shown_text(served.client.get(f"{own}/edit").text)
    typed = first | {"text": first["text"].replace("name: Fetch", "name: Typed").strip("\n")}

    def press(act: str, **changed: str) -> str:
        asked = form_of(flow, act=act, **changed)
        if act.startswith("save"):
            answer = served.client.post(f"{own}/edit", data=asked)
            assert answer.status_code == 422
        else:
            answer = served.client.post(f"{own}/draft", data=asked)
        return answer.text

    step = flow["jobs"][0]["id"]
    for act in ("look", "check", f"after:{step}", f"remove:{step}", "undo", "save", "save-run",
                "save-anyway", "save-over"):  # fmt: skip
        after = press(act, **typed, undo="[]")
        assert 'id="held"' in after, act
        assert shown_text(after)["text"].strip("\n") == typed["text"], act
        assert shown_text(after)["text-of"] == first["text-of"], act
        assert f'name="job:{step}:name" value="Fetch"' in after, act
    assert flow_of(served) == flow
    dropped = press("drop-text", **typed)
    assert 'id="held"' not in dropped
    assert shown_text(dropped) == first
    assert f'name="job:{step}:name" value="Typed"' in press("take-text", **typed)
    both = {**typed, f"job:{step}:body": "fn(s => s.more)"}
    held = press("take-text", **both)
    assert 'id="held"' in held
    assert "fn(s =&gt; s.more)" in held
    assert f'name="job:{step}:name" value="Typed"' in press("take-text-alone", **both)
    undone = press(f"remove:{step}", **first)
    assert "name: Fetch" not in undone.partition('name="undo"')[2].partition(">")[0]


def test_a_large_workflow_fits_in_the_form(served: Served) -> None:
    flow = flow_of(served)
    own, step = f"/workflows/{flow['id']}/draft", flow["jobs"][0]["id"]
    more = {f"edge:x{number}:label": "x" for number in range(1000)}
    long = {f"job:{step}:body": "// " + "é" * 600_000}
    answer = served.client.post(own, data=form_of(flow, act="look", **more, **long))
    assert answer.status_code == 200
    asked = form_of(flow, act="take-text", text="# " + "x" * 2_000_000)
    answer = served.client.post(own, data=asked)
    assert "the text has 2,000,002 characters; the most is 2,000,000" in answer.text


def test_a_step_is_tried_alone_and_its_result_stands_at_its_code(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fine(*_: object) -> dict[str, Any]:
        return {"found": {}, "names": {}, "absent": [], "trouble": None}

    monkeypatch.setattr(editpage, "check", fine)
    flow, client = flow_of(served), served.client
    first = flow["jobs"][0]["id"]
    served.platform.settings = replace(served.platform.settings, payload_mb=0.01)
    for text, words in (
        ("[1]", "must be a JSON object"), ("{", "is not JSON"),
        ("é" * 6000, "is larger than 0.01 MB"),
    ):  # fmt: skip
        wrong = save(client, flow, f"try:{first}", **{f"try:{first}:text": text})
        assert wrong.status_code == 422
        assert words in wrong.text
        assert f"{text}</textarea>" in wrong.text
    example = save(client, flow, "save-run", input="fhir").headers["location"]
    assert "Bundle" in client.get(example).text
    client.post(f"{example}/cancel")
    flow = flow_of(served)
    begun = save(client, flow, f"try:{first}", **{f"try:{first}:text": '{"a": 1}'})
    place = begun.headers["location"]
    assert "No worker is connected" in client.get(place).text
    with served.worker() as worker:
        talk = worker.take()
        assert json.loads(talk.state()) == {"a": 1}
        plan = talk.ok("fetch:plan", {})
        assert ([job["id"] for job in plan["jobs"]], plan["edges"]) == ([first], [])
        assert (plan["starting_node_id"], "alone" in plan["options"]) == (first, False)
        talk.start()
        step = talk.start_step(first)
        talk.ok("step:complete", talk.step_end(step, first, output_dataclip='{"b":"done"}'))
        talk.complete()
    shown = html.unescape(client.get(place).text)
    assert '"b": "done"' in shown.partition('id="tried"')[2]
    assert "hx-trigger" not in shown.partition('id="tried"')[2].partition(">")[0]
    assert "one step alone" in client.get(f"/runs/{talk.id}").text
    assert "the last output of Fetch" in shown
    client.post(f"/runs/{talk.id}/retry")
    with served.worker() as worker:
        assert len(worker.take().ok("fetch:plan", {})["jobs"]) == 1, "retried as it was"
    asked = {"part": first, "tried": served.post()}
    assert 'id="tried"' not in client.get(place.partition("?")[0], params=asked).text


def test_the_input_of_a_step_may_be_what_the_one_before_it_returned() -> None:
    draft = Draft(steps=[Step("a", "First"), Step("b", "Second")], paths=[Path("p", "a", "b")])
    draft.paths.append(Path("q", "gone", "b"))
    row: Any = namedtuple("row", "input_dataclip_id output_dataclip_id")
    last: dict[str, Any] = {"a": row("in", "out"), "b": row("in2", None),
                            "gone": row("in3", "out3")}  # fmt: skip
    found = inputs_of(draft, last)
    assert found == {
        "a": [("in", "its last input")],
        "b": [("in2", "its last input"),
              ("out", "the last output of First")],
    }  # fmt: skip


def test_data_is_moved_into_a_collection_and_the_code_reads_it_there(served: Served) -> None:
    flow = flow_of(served)
    job = flow["jobs"][0]["id"]
    rows = [{"id": f"site-{n}", "name": "Clinic of the <upper> village"} for n in range(6000)]
    code = f"const mySites = {json.dumps(rows)};\nfn(s => ({{ ...s, n: mySites.length }}))"
    new = {f"job:{job}:body": code, "act": f"move:{job}"}

    def post(what: str, **fields: str) -> str:
        form = form_of(flow, **{**new, **fields})
        return served.client.post(f"/workflows/{flow['id']}/{what}", data=form).text

    assert "each run loads all of it" in post("draft", act="look")
    shown = html.unescape(post("draft"))
    assert "+  await collections.each('my-sites', '*', (_, value) => {" in shown
    assert "6,000 items go into the collection my-sites" in shown
    assert "Clinic of the <upper> village" in shown
    assert served.client.get("/collections/my-sites").status_code == 404

    page = post("move", **{f"move:{job}:collection": "my-sites"})
    moved = html.unescape(page)
    assert "6,000 items are in the collection my-sites now" in moved
    assert "collections.each('my-sites', '*'" in moved
    stored = served.client.get("/collections/my-sites/site-5999").json()
    assert json.loads(stored["value"]) == rows[-1]
    assert flow_of(served) == flow  # it is saved with the rest
    (undo,) = re.findall(r'name="undo" value="([^"]*)"', page)
    again = post("draft", act="undo", undo=html.unescape(undo))
    assert "mySites = [{&#34;id&#34;: &#34;site-0" in again

    shared = {f"move:{job}:collection": "my-sites"}
    assert "'mySites:*'" in html.unescape(post("draft", **shared))
    assert "6,000 items are" in post("move", **shared)
    assert "keys begin with mySites:" in post("move", **shared)
    other = {f"job:{job}:body": code.replace("fn(s", "each(mySites, s")}
    assert "it while it is loaded (line 2)" in post("draft", **other)
    assert "No data was found" in post("draft", **{f"job:{job}:body": "fn(s => s)"})
    assert post("move", act="move:nobody").count('name="undo"') == 0


def test_who_may_not_write_items_moves_no_data(served: Served) -> None:
    flow = flow_of(served)
    asked = {"name": "deploys", "project_id": "demo", "scopes": ["read", "deploy"]}
    token = served.client.post("/api/tokens", json=asked).json()["token"]
    job = flow["jobs"][0]["id"]
    code = f"const d = {json.dumps({str(n): n for n in range(1000)})}; fn(s => d)"
    form = form_of(flow, act=f"move:{job}", **{f"job:{job}:body": code})
    head = {"authorization": f"Bearer {token}"}
    answer = httpx.post(f"{served.url}/workflows/{flow['id']}/move", data=form, headers=head)
    assert "It needs a token with the scope collections" in answer.text
    assert served.client.get("/collections/d").status_code == 404
