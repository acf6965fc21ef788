"""The run page in a real browser: it follows a run, and shows what came of it."""

from __future__ import annotations

import json
import re
from functools import partial

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from sqlalchemy import insert

from holdfast.platform.store import tables as t
from holdfast.platform.web import logview
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
    expect(page.locator("#outcome .what")).to_contain_text(f"no {HOSTILE}")
    expect(page.locator("#error-message")).to_have_count(0)  # it would say the same again
    expect(page.locator(".graph .n-failed")).to_have_count(1)
    page.locator(".steps a").first.click()
    page.get_by_role("button", name="Retry from the start").click()
    page.wait_for_url(lambda url: run_id not in url)
    expect(page.locator(".head .chip")).to_have_text("Waiting")
    row = page.locator("#attempts tbody tr")
    expect(row).to_have_count(2)
    expect(row.first).to_contain_text("Store: Failed")
    expect(row.last).to_contain_text("No worker is connected")
    expect(row.first.get_by_role("link", name="compare")).to_be_visible()
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
    page.get_by_label("Id, or words").fill(waiting[:6])
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tbody .mono")).to_have_text([waiting[:8]])
    page.goto("/runs?q=zzz")
    expect(page.locator(".empty")).to_have_text("No run matches.")


def test_the_error_has_its_place_and_a_handled_failure_is_told(served: Served, page: Page) -> None:
    """Also of a worker that sends no post-mortem: its log has the place."""
    run_id = served.post({"n": 1})
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        step = talk.start_step(FETCH)
        talk.log(
            "TypeError: no\n    at vm:module(0):1:4", step_id=step, level="error", source="R/T"
        )
        wrong = {"reason": "fail", "error_type": "E", "error_message": "TypeError: TypeError: no"}
        talk.ok("step:complete", talk.step_end(step, **wrong))
        second = talk.start_step(STORE)
        talk.ok("step:complete", talk.step_end(second, STORE))
        talk.complete()
    page.goto(f"/runs/{run_id}")
    words = "Success, 1 step failed and was handled"
    expect(page.locator(".head .chip")).to_have_text(words)
    expect(page.locator("#place")).to_contain_text('Step "Fetch", line 1, column 4')
    expect(page.locator("#step h2")).to_have_text("Fetch")
    expect(page.locator("#error-message")).to_have_text("TypeError: no")
    expect(page.locator("#code .marked")).to_have_count(1)
    expect(page.locator("#code .caret")).to_have_attribute("aria-label", "Here, in line 1")
    page.get_by_role("link", name="Store: Success").click()
    expect(page.locator("#step h2")).to_have_text("Store")
    expect(page.locator("#code .marked")).to_have_count(0)
    page.goto("/runs")
    expect(page.locator("tbody .chip")).to_have_text([words])
    page.locator("td.cause").click()
    page.wait_for_url(f"**/runs/{run_id}")


def test_the_input_is_what_the_job_received_and_can_be_run_again(
    served: Served, page: Page
) -> None:
    run_id = served.post({"n": 1})
    with served.worker() as worker:
        talk = worker.take()
        received = json.loads(talk.state())
        talk.complete()
    page.goto(f"/runs/{run_id}")
    expect(page.locator("#input-tree")).to_contain_text("data {1 key}")
    assert json.loads(page.locator("#input").text_content() or "") == received
    page.get_by_role("link", name="Run with other input").click()
    assert json.loads(page.get_by_label("Input (JSON object)").input_value()) == received
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url(lambda url: "/runs/" in url and run_id not in url)
    with served.worker() as worker:
        assert json.loads(worker.take().state()) == received


def test_any_line_of_a_long_log_is_found(
    served: Served, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search has a third of a second: the page goes on by itself until something is found."""
    run_id = served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        step = talk.start_step()
        rows = [
            {"run_id": run_id, "line_id": f"l{n}", "number": n, "timestamp": n, "step_id": step,
             "level": "debug" if n % 2 else "info", "source": "R/T" if n % 2 else "JOB",
             "message": f"line {n}" + " needle" * (n == 73_412)}
            for n in range(1, 100_001)
        ]  # fmt: skip
        served.write(lambda tx: tx.connection.execute(insert(t.log_lines), rows))
        page.goto(f"/runs/{run_id}")
        expect(page.locator("#log-where")).to_contain_text("of 100,000")
        expect(page.locator("#log-where")).to_contain_text("hidden")
        assert page.locator("#log .line").count() <= 2000
        page.get_by_label("Line", exact=True).fill("73,412")
        page.get_by_role("button", name="Show").click()
        expect(page.locator("#L73412")).to_be_in_viewport()
        expect(page.locator("#L73412 .msg")).to_have_text("line 73412 needle")
        expect(page.locator("#log .l-debug")).to_have_count(0)
        page.get_by_label("Line", exact=True).fill("")
        page.get_by_label("Search", exact=True).fill("NEEDLE")
        page.get_by_role("button", name="Show").click()
        expect(page.locator("#log .msg")).to_have_text(["line 73412 needle"])
        monkeypatch.setattr(logview, "_SEARCH_SECONDS", 0.0)
        page.get_by_label("Search", exact=True).fill("nowhere")
        page.get_by_role("button", name="Show").click()
        expect(page.locator("#log-where")).to_have_text(
            "0 lines with “nowhere” in all 100,000 lines"
        )
        monkeypatch.setattr(logview, "_ROUNDS", 0)
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("link", name="search on")).to_be_visible()
        expect(page.get_by_role("link", name="stop")).to_have_count(0)
        page.get_by_role("link", name="Clear").click()
        page.get_by_role("link", name="last").click()
        expect(page.locator("#L100000")).to_be_visible()
        talk.log("the newest")
        expect(page.locator("#log .msg").last).to_have_text("the newest")


#: A key that comes before the browser has drawn the page without the list of keys: until then the
#: button in the list, which nobody sees any more, has the focus.
CLOSE_AND_PRESS = """key => {
    document.getElementById('keys').close();
    const pressed = new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true});
    document.activeElement.dispatchEvent(pressed);
}"""


def test_keys_reach_what_a_mouse_does(served: Served, page: Page) -> None:
    first, second = served.post(), served.post()
    page.goto("/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("next and previous row")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("?")
    page.evaluate(CLOSE_AND_PRESS, "r")
    page.wait_for_url("**/runs")
    for key, run_id in (("j", second), ("j", first), ("k", second)):
        page.keyboard.press(key)
        expect(page.locator(f'a.whole[href="/runs/{run_id}"]')).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/runs/{second}")
    expect(page.locator("#waiting")).to_contain_text("No worker is connected")
    page.keyboard.press("/")
    expect(page.get_by_label("Search", exact=True)).to_be_focused()


def test_a_lost_connection_says_so_and_recovers(served: Served, page: Page) -> None:
    page.goto("/runs")
    expect(page.locator("#live")).to_have_text("Live")
    page.context.set_offline(True)
    page.evaluate("window.dispatchEvent(new Event('offline'))")
    expect(page.locator("#lost")).to_be_visible()
    page.context.set_offline(False)
    page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(page.locator("#lost")).to_be_hidden()
    served.post()
    expect(page.locator("tbody .chip")).to_have_text(["Waiting"])


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
    for path in ("/runs/nope", "/workflows/nope", "/nothing", "/runs/a/b/c"):
        answer = served.client.get(path)
        assert answer.status_code == 404
        assert "There is no such" in answer.text
        assert "To the overview" in answer.text


def test_a_chosen_request_selects_code_log_and_its_operation(served: Served, page: Page) -> None:
    run_id = served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        step = talk.start_step()
        at = int(talk.now())
        talk.log("before", step_id=step, timestamp=str(at))
        talk.log("within", step_id=step, timestamp=str(at + 20_000))
        talk.log("elsewhere")
        talk.ok("step:complete", talk.step_end(step, timestamp=str(at + 90_000)))
        operation = {
            "step_id": step, "number": 1, "name": "get", "line": 1, "at_us": at + 9_000,
            "us": 50_000,
        }  # fmt: skip
        request = {
            "number": 1, "step_id": step, "operation": 1, "method": "GET", "host": "a.org",
            "path": f"/{HOSTILE}", "fate": "answered", "status": 404, "at_us": at + 10_000,
            "ms": 30,
        }  # fmt: skip
        talk.complete(spans={"operations": [operation], "requests": [request]})
    slow = list[Route]()
    hold = partial(list.append, slow)  # the page looks anew as it opens
    page.route(re.compile("part=live"), hold, times=1)
    page.goto(f"/runs/{run_id}")
    expect(page.locator(".steps .part")).to_contain_text(["Waiting", "Preparing", "1. get()"])
    expect(page.locator("#log .msg")).to_have_count(3)
    row = page.get_by_role("link", name="GET a.org")
    row.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/runs/{run_id}?step={step}&span=request-1")
    expect(row).to_have_attribute("aria-current", "true")
    expect(row).to_be_focused()
    with page.expect_response(re.compile("span=request-1&part=live")):
        slow[0].continue_()  # it answers for what was chosen before
    expect(page.locator("#code .here")).to_have_text(re.compile("fn"))
    expect(page.locator("#requests tr.here")).to_contain_text("answered 404")
    expect(page.locator("#log .msg")).to_have_text(["before", "within"])
    expect(page.locator("#log .within")).to_have_text(re.compile("within"))
    page.reload()
    expect(page.locator("#requests tr.here")).to_have_count(1)
    page.locator("#log-panel").get_by_role("link", name="Clear").click()
    expect(page.locator("#log .msg")).to_have_count(3)
