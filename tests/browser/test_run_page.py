"""The run page in a real browser: it follows a run, and shows what came of it."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Browser, Page, expect

from support.platform import FETCH, STORE, RunTalk, Served

HOSTILE = '<script>document.title="hacked"</script><img src=x onerror="document.title=1">'


def test_the_page_follows_a_run_to_its_end(served: Served, page: Page) -> None:
    run_id = served.post({"patients": [{"name": HOSTILE}]})
    page.goto(f"/runs/{run_id}")
    expect(page.locator(".head .chip")).to_have_text("Waiting")
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    with served.worker() as worker:
        talk = worker.take()
        expect(page.locator(".head .chip")).to_have_text("Starting")
        talk.start()
        step = talk.start_step()
        expect(page.locator(".head .chip")).to_have_text("Running")
        expect(page.locator(".steps .name")).to_have_text(["Fetch"])
        talk.log("received", HOSTILE, step_id=step)
        talk.log("quiet", level="debug")
        expect(page.locator("#log .msg")).to_have_text([f"received {HOSTILE}", "quiet"])
        output = json.dumps({"data": {"found": HOSTILE}})
        end = talk.step_end(step, output_dataclip=output)
        talk.ok("step:complete", end)
        talk.complete(final_dataclip_id=end["output_dataclip_id"])
    expect(page.locator(".head .chip")).to_have_text("Success")
    expect(page.locator("#outcome")).to_contain_text("Every step that ran came to its end")
    expect(page.locator(".steps .chip")).to_have_text(["Success"])
    page.locator(".steps a").click()
    expect(page.locator("#output")).to_contain_text('"found": "<script>document.title')
    expect(page.locator("#code")).to_have_text("fn(s => s)")
    page.get_by_label("Show").select_option("info")
    expect(page.locator("#log .l-debug")).to_be_hidden()
    expect(page).to_have_title(f"Run {run_id[:8]} · Referrals · Holdfast")


def test_a_worker_that_goes_away_is_noticed_on_the_page(served: Served, page: Page) -> None:
    run_id = served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        page.goto(f"/runs/{run_id}")
        expect(page.locator(".head .chip")).to_have_text("Running")
        expect(page.locator("#worker-gone")).to_have_count(0)
    expect(page.locator("#worker-gone")).to_contain_text("not connected")
    with served.worker() as worker:
        worker.join_run(talk.run)
        RunTalk(worker, talk.run).log("back")
        page.reload()
        expect(page.locator("#worker-gone")).to_have_count(0)


def test_a_tab_that_comes_back_shows_what_it_missed(served: Served, page: Page) -> None:
    served.post()
    with served.worker() as worker:
        talk = worker.take()
        page.goto(f"/runs/{talk.id}")
        talk.log("seen")
        expect(page.locator("#log .msg")).to_have_text(["seen"])
        hide = """hidden => {
            Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
        page.evaluate(hide, True)
        expect(page.locator("#live[data-on]")).to_have_count(0)
        talk.log("missed")
        talk.complete()
        expect(page.locator("#log .msg")).to_have_text(["seen"])
        page.evaluate(hide, False)
        expect(page.locator("#log .msg")).to_have_text(["seen", "missed"])
        expect(page.locator(".head .chip")).to_have_text("Success")


def fail(talk: RunTalk) -> str:
    """Fetch works, Store fails; the id of the failed step."""
    talk.start()
    first = talk.start_step(FETCH)
    end = talk.step_end(first)
    talk.ok("step:complete", end)
    second = talk.start_step(STORE)
    wrong = {"reason": "fail", "error_type": "JobError", "error_message": f"no {HOSTILE}"}
    talk.ok("step:complete", talk.step_end(second, STORE, **wrong))
    talk.complete(**wrong)
    return second


def test_a_failed_run_explains_itself_and_can_be_retried(served: Served, page: Page) -> None:
    run_id = served.post({"n": 1})
    with served.worker() as worker:
        fail(worker.take())
    page.goto(f"/runs/{run_id}")
    expect(page.locator(".head .chip")).to_have_text("Failed")
    expect(page.locator("#outcome")).to_contain_text("A job raised an error")
    expect(page.locator("#error-message")).to_have_text(f"no {HOSTILE}")
    expect(page.locator(".graph .n-failed")).to_have_count(1)
    page.locator(".steps a").first.click()
    page.get_by_role("button", name="Retry from the start").click()
    page.wait_for_url(lambda url: run_id not in url)
    expect(page.locator(".head .chip")).to_have_text("Waiting")
    expect(page.locator("dl")).to_contain_text("Runs of this work order")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".head .chip")).to_have_text("Cancelled")


def test_the_postmortem_stands_on_the_page(served: Served, page: Page) -> None:
    run_id = served.post({"n": 1})
    examined = {
        "advice": f"Keep less. {HOSTILE}",
        "timeline": [{"ms": 0, "what": "claimed"}, {"ms": 950, "what": "outcome: kill"}],
        "memory": {
            "limit_mb": 128,
            "means": "cgroup-v1",
            "counters": {"peak": 134217728, "heap": 90000000},
            "samples": [[0, 20], [500, 90], [900, 128]],
        },
        "evidence": {"signal": "SIGKILL"},
        "last_lines": [f"JOB info {HOSTILE}"],
    }
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        talk.complete(reason="kill", error_type="OOMError", postmortem=examined)
    page.goto(f"/runs/{run_id}")
    page.get_by_text("Post-mortem").click()
    shown = page.locator("#postmortem")
    expect(shown).to_contain_text(f"Keep less. {HOSTILE}")
    expect(shown).to_contain_text("peak 128 MB of 128 MB, of it 86 MB JavaScript heap")
    expect(shown.locator(".timeline li")).to_have_count(2)
    expect(shown.locator("svg polyline")).to_have_attribute(
        "points", re.compile(r"^0,\d+ 333,\d+ 600,\d+$")
    )
    expect(shown).to_contain_text('"signal": "SIGKILL"')
    expect(shown).to_contain_text(f"JOB info {HOSTILE}")


def test_from_the_overview_to_a_run_by_hand(served: Served, page: Page) -> None:
    page.goto("/")
    expect(page.locator(".cards")).to_contain_text("nothing can run")
    served.post()
    expect(page.locator("tbody .chip")).to_have_text(["Waiting"])
    with served.worker() as worker:
        worker.join_queue(capacity=3)
        expect(page.locator(".cards")).to_contain_text("1worker connected, room for 3")
        page.get_by_role("link", name="Referrals").last.click()
        expect(page.locator("#webhook")).to_contain_text("/i/")
        page.get_by_label("Input (JSON object)").fill("{nope")
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("The input is not JSON")
        assert page.get_by_label("Input (JSON object)").input_value() == "{nope"
        page.get_by_label("Input (JSON object)").fill('{"data": {"by": "hand"}}')
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.locator("#input")).to_contain_text('"by": "hand"')
        page.get_by_role("link", name="Workers").click()
        expect(page.locator("tbody")).to_contain_text("Connected")


def test_runs_can_be_filtered(served: Served, page: Page) -> None:
    good, waiting = served.post(), served.post()
    with served.worker() as worker:
        worker.take().complete()
    page.goto("/runs")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label("State").select_option("success")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tbody .mono")).to_have_text([good[:8]])
    page.get_by_role("link", name="Clear").click()
    page.get_by_label("Run begins with").fill(waiting[:6])
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tbody .mono")).to_have_text([waiting[:8]])
    page.goto("/runs?q=zzz")
    expect(page.locator(".empty")).to_have_text("No run matches.")


def test_without_scripts_everything_is_there(served: Served, browser: Browser) -> None:
    run_id = served.post({"n": 1})
    with served.worker() as worker:
        talk = worker.take()
        fail(talk)
        talk.log("the last line")
    context = browser.new_context(java_script_enabled=False, base_url=served.url)
    page = context.new_page()
    page.goto(served.new_link())
    page.goto(f"/runs/{run_id}")
    expect(page.locator(".head .chip")).to_have_text("Failed")
    expect(page.locator("#log .msg")).to_have_text(["the last line"])
    page.locator(".steps a").first.click()
    expect(page.locator("#step h2")).to_have_text("Fetch")
    context.close()


def test_what_is_not_there_says_so(page: Page, served: Served) -> None:
    for path in ("/runs/nope", "/workflows/nope"):
        answer = served.client.get(path)
        assert answer.status_code == 404
        assert "There is no such" in answer.text
