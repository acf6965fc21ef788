"""Pauses, automatic retries and alerts in a real browser: what people operate a project with."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from support.platform import Served


def workflow_of(served: Served) -> dict[str, Any]:
    found = served.client.get("/api/provision/demo").json()["data"]["workflows"][0]
    assert isinstance(found, dict)
    return found


def test_a_workflow_and_all_runs_are_paused_and_resumed(served: Served, page: Page) -> None:
    key = workflow_of(served)["id"]
    page.goto(f"/workflows/{key}")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#paused")).to_contain_text("New runs wait")
    run = served.post()
    with served.worker() as worker:
        assert worker.join_queue()["status"] == "ok"
        assert worker.claim() == []
        page.goto("/")
        expect(page.locator(".paused")).to_contain_text("Referrals")
        page.locator(".paused").get_by_role("link", name="Referrals").click()
        page.get_by_role("button", name="Resume").click()
        expect(page.locator("#paused")).to_have_count(0)
        page.goto("/")
        page.get_by_role("button", name="Pause all runs").click()
        expect(page.locator("#paused")).to_contain_text("All runs are paused")
        assert worker.claim() == []
        page.get_by_role("button", name="Resume all runs").click()
        expect(page.locator("#paused")).to_have_count(0)
        assert [item["id"] for item in worker.claim()] == [run]
    page.goto("/audit")
    expect(page.locator("tbody")).to_contain_text("workflow paused")


def test_automatic_retries_are_set_and_taken_away(served: Served, page: Page) -> None:
    key = workflow_of(served)["id"]
    page.goto(f"/workflows/{key}")
    panel = page.locator("#retries")
    expect(panel).to_contain_text("not retried by itself")
    panel.get_by_text("Change").click()
    panel.get_by_label("Retries at most").fill("3")
    panel.get_by_label("Failed").check()
    panel.get_by_label("run twice without harm").check()
    panel.get_by_role("button", name="Save").click()
    expect(panel).to_contain_text("3 times at most, after 1 min 0 s, then after twice as long")
    assert workflow_of(served)["retry"] == {
        "times": 3,
        "backoff_seconds": 60,
        "on": ["failed", "killed", "exception", "lost"],
        "idempotent": True,
    }
    panel.get_by_text("Change").click()
    panel.get_by_label("Retries at most").fill("21")
    page.evaluate("document.querySelector('#retries form').noValidate = true")
    panel.get_by_role("button", name="Save").click()
    expect(page.locator(".alert")).to_contain_text("times must be a whole number from 1 to 20")
    panel.get_by_text("Change").click()
    panel.get_by_label("Retries at most").fill("0")
    panel.get_by_role("button", name="Save").click()
    expect(panel).to_contain_text("not retried by itself")
    assert workflow_of(served).get("retry") is None


def test_an_alert_is_added_tried_and_removed(served: Served, page: Page) -> None:
    page.goto("/projects/demo/members")
    page.get_by_role("link", name="Alerts").click()
    expect(page.locator(".empty")).to_contain_text("Nobody is told")
    page.get_by_label("Mail or https address").fill("somebody")
    page.get_by_label("any run fails").check()
    page.get_by_role("button", name="Add").click()
    expect(page.locator(".alert")).to_contain_text("an address like somebody@example.org")
    expect(page.get_by_label("any run fails")).to_be_checked()
    page.get_by_label("By").select_option("webhook")
    page.get_by_label("Mail or https address").fill("http://127.0.0.1:1/a-secret-path")
    page.get_by_label("a run waits for long").check()
    page.get_by_label("A long wait").fill("7")
    page.get_by_role("button", name="Add").click()
    row = page.locator("#alerts tbody tr")
    expect(row).to_contain_text("http://127.0.0.1:1/***")
    expect(row).to_contain_text("a run waits for long (7 min 0 s)")
    assert "a-secret-path" not in page.content()
    (rule,) = served.client.get("/api/projects/demo/alerts").json()["data"]
    assert rule["events"] == ["lost", "first_failure", "failure", "recovery", "queue_age"]
    assert rule["queue_seconds"] == 420
    page.get_by_role("button", name="Send a test").click()
    expect(row).to_contain_text("1 to be told")
    page.get_by_role("button", name="Remove the alert").click()
    expect(page.locator(".empty")).to_contain_text("Nobody is told")
    assert served.client.get("/api/projects/demo/alerts").json()["data"] == []


def fail_all(served: Served, count: int) -> None:
    """Runs that wait fail, the oldest first."""
    ends = {"reason": "fail", "error_type": "TypeError", "error_message": "TypeError: no"}
    with served.worker() as worker:
        for _ in range(count):
            talk = worker.take()
            talk.start()
            talk.complete(**ends)


def test_chosen_runs_are_retried_and_cancelled(served: Served, page: Page) -> None:
    page.goto("/runs")
    expect(page.locator("#live")).to_have_text("Live")
    expect(page.get_by_role("button", name="Retry the chosen")).to_be_hidden()
    runs = [served.post({"n": n}) for n in range(4)]
    page.get_by_label(f"Choose run {runs[0][:8]}").check()
    expect(page.get_by_role("button", name="Retry the chosen")).to_be_visible()
    fail_all(served, 3)
    page.goto("/runs?state=unsuccessful")
    page.get_by_label(f"Choose run {runs[0][:8]}").check()
    page.get_by_label(f"Choose run {runs[2][:8]}").check()
    page.get_by_role("button", name="Retry the chosen").click()
    expect(page.locator("#told")).to_have_text("2 runs retried.")
    expect(page.get_by_label("State")).to_have_value("unsuccessful")
    again = served.client.get("/api/runs", params={"state": "available"}).json()["data"]
    assert len(again) == 3
    page.get_by_label("All on this page").check()
    page.get_by_role("button", name="Retry the chosen").click()
    expect(page.locator("#told")).to_contain_text(
        "1 run retried. 2 runs left alone: each has not ended"
    )
    page.goto("/runs")
    expect(page.locator("#live")).to_have_text("Live")
    page.get_by_label(f"Choose run {runs[3][:8]}").check()
    served.post()  # the list is drawn anew, and what was ticked stays so
    expect(page.locator("tbody tr")).to_have_count(8)
    expect(page.get_by_label(f"Choose run {runs[3][:8]}")).to_be_checked()
    page.get_by_label("All on this page").check()
    page.get_by_role("button", name="Cancel the chosen").click()
    expect(page.locator("#told")).to_contain_text("5 runs cancelled")
    expect(page.locator("#told")).to_contain_text("3 runs left alone: each has ended")
    assert served.client.get("/api/queue").json()["available"] == 0
    page.goto("/audit")
    expect(page.locator("tbody")).to_contain_text("chosen runs retried or cancelled")
