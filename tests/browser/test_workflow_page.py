"""The page of a workflow in a real browser: look at its parts, turn it off, bring code back."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from holdfast.cli.casefile import read_cases
from support.platform import FETCH, TRIGGER, Served


def project_file(served: Served) -> str:
    return served.client.get("/api/provision/yaml", params={"id": "demo"}).text


def test_parts_are_chosen_in_the_graph_and_old_code_comes_back(served: Served, page: Page) -> None:
    project = served.client.get("/api/provision/demo").json()["data"]
    flow = project["workflows"][0]
    jobs = [{**job, "body": "fn(s => ({...s, n: 2}))"} if job["id"] == FETCH else job
            for job in flow["jobs"]]  # fmt: skip
    served.deploy({"id": project["id"], "workflows": [{"id": flow["id"], "jobs": jobs}]})
    page.goto(f"/workflows/{flow['id']}")
    expect(page.locator("#code")).to_contain_text("n: 2")
    page.get_by_role("link", name="Webhook", exact=True).click()
    expect(page.locator("#part")).to_contain_text(f"curl -X POST {served.url}/i/{TRIGGER}")
    page.get_by_role("link", name="Version 2").click()
    expect(page.locator("#version .d-new")).to_have_text("+fn(s => ({...s, n: 2}))")
    page.get_by_role("button", name="Turn off").click()
    expect(page.locator("#starts .chip")).to_have_text("Off")
    assert served.client.post(f"/i/{TRIGGER}", json={}).status_code != 200
    page.get_by_role("listitem").filter(has_text="Version 1").get_by_role("button").click()
    expect(page.locator("#versions li").first).to_contain_text("Version 4")
    expect(page.locator("#code")).to_have_text("fn(s => s)")
    expect(page.locator("#starts .chip")).to_have_text("Off")
    page.get_by_text("As a file").click()
    expect(page.locator("#yaml pre")).to_contain_text("condition_expression: 'state.data.n > 0'")
    expect(page.locator("#yaml pre")).to_contain_text("removes\n# the workflows")
    with page.expect_download() as loading:
        page.get_by_role("link", name="Download the project").click()
    assert loading.value.path().read_text() == project_file(served)
    page.goto("/audit")
    expect(page.locator("tbody tr").first).to_contain_text("old version restored")


def test_a_failed_run_is_compared_with_the_last_success_and_taken_as_a_test(
    served: Served, page: Page, tmp_path: Path
) -> None:
    good, bad = served.post({"n": 1}), served.post({"n": 2})
    with served.worker() as worker:
        for ends in ({}, {"reason": "fail", "error_type": "TypeError", "error_message": "no"}):
            talk = worker.take()
            talk.start()
            step = talk.start_step()
            talk.ok("step:complete", talk.step_end(step, output_dataclip='{"data": {}}', **ends))
            talk.complete(**ends)
    page.goto(f"/runs/{bad}")
    page.get_by_role("link", name="Compare with the last success").click()
    expect(page.locator("h1")).to_contain_text(good[:8])
    expect(page.locator("#input .c-changed td")).to_have_text(["data.n", "1", "2"])
    expect(page.locator("#steps summary").first).to_contain_text("Failed")
    page.goto(f"/runs/{good}/compare")
    expect(page.locator(".empty")).to_contain_text("No run of this workflow has succeeded")
    file = tmp_path / "case.yaml"
    file.write_text(served.client.get(f"/runs/{bad}/case.yaml").text)
    (case,) = read_cases(file)
    assert (case.workflow, case.path, case.fails) == ("Referrals", ["Fetch"], "TypeError")
    assert case.input["data"] == {"n": 2}
