"""A workflow is built, mended and run in a real browser; and by keys alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, expect

from support.platform import FETCH, Served


def project_of(served: Served) -> dict[str, Any]:
    found: dict[str, Any] = served.client.get("/api/provision/demo").json()["data"]
    return found


def workflow_of(served: Served, name: str) -> dict[str, Any]:
    return next(w for w in project_of(served)["workflows"] if w["name"] == name)


def test_a_workflow_is_made_checked_saved_and_run(served: Served, page: Page) -> None:
    page.goto("/")
    page.get_by_label("Name of a new workflow").fill("Register")
    page.get_by_role("button", name="Create").click()
    code = page.get_by_role("textbox", name="Code of Step 1")
    code.click()
    page.keyboard.press("Control+a")
    page.keyboard.type("fn(state => ;")
    expect(page.locator(".cm-lint-marker-error")).to_be_visible()
    page.keyboard.press("Control+a")
    with page.expect_response(
        lambda answer: "%3D%3E+state%29" in (answer.request.post_data or "")
    ):
        page.keyboard.type("fn(state => state);")
    expect(page.locator(".cm-lint-marker-error")).to_have_count(0)
    page.get_by_role("button", name="Add a step after this").click()
    name = page.get_by_label("Name", exact=True).last
    expect(name).to_be_focused()
    name.fill("Send")
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_role("status").first).to_contain_text("No mistakes found")
    expect(page.locator(".graph .job")).to_have_count(2)
    page.get_by_text("As text (YAML)").click()
    text = page.locator("#text")
    text.fill(text.input_value().replace("name: Send", "name: Send all"))
    page.get_by_role("button", name="Add a path").click()
    expect(page.locator("#held")).to_contain_text("changes that are not taken over")
    page.locator("#held").get_by_role("button", name="Take over this text").click()
    expect(page.locator("#held")).to_have_count(0)
    expect(name).to_have_value("Send all")
    page.get_by_role("button", name="Save and run").click()
    page.wait_for_url("**/runs/*")
    expect(page.locator(".head .chip")).to_have_text("Waiting")
    made = workflow_of(served, "Register")
    assert [job["name"] for job in made["jobs"]] == ["Step 1", "Send all"]
    assert made["jobs"][0]["body"] == "fn(state => state);"
    assert [edge["condition_type"] for edge in made["edges"]] == ["always", "on_job_success"]


def test_parts_of_the_picture_are_moved_and_connected_by_hand(served: Served, page: Page) -> None:
    flow = workflow_of(served, "Referrals")
    first, second = (job["id"] for job in flow["jobs"])
    (begin,) = (trigger["id"] for trigger in flow["triggers"])
    page.goto(f"/workflows/{flow['id']}/edit")
    arranged = picture(page)

    drag(page, box_of(page, second), 150, 40)
    moved = picture(page)
    assert moved[second] == (arranged[second][0] + 150, arranged[second][1] + 40)
    assert {**moved, second: arranged[second]} == arranged
    expect(page.locator(f"#d-{second}")).not_to_have_attribute("open", "")  # it was no click
    page.locator(f'[data-node="{first}"] a').focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowDown"):  # beyond the left edge: the others go
        page.keyboard.press(key)
    after = picture(page)
    assert after[first][1] == moved[first][1] + 20
    assert after[second][0] - after[first][0] == moved[second][0] - moved[first][0] + 40
    page.keyboard.press("Control+z")
    assert relative(picture(page)) == relative(moved)
    by_hand = lines(page)

    with renewed(page):
        page.get_by_role("button", name="Redraw").press("Enter")
    expect(page.locator("#undo-move")).to_be_visible()
    assert (picture(page), lines(page)) == (moved, by_hand), "the server draws the same"

    handle = page.locator(f'[data-node="{begin}"] .handle').bounding_box()
    there = box_of(page, second)
    assert handle is not None
    with renewed(page):
        drag(page, handle, there[0] - handle["x"], there[1] - handle["y"])
    expect(page.get_by_role("status").first).to_contain_text("Connected")
    expect(page.locator("#paths fieldset")).to_have_count(3)
    assert picture(page) == moved
    with renewed(page):
        page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.locator("#paths fieldset")).to_have_count(2)
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url(f"**/workflows/{flow['id']}")
    saved = workflow_of(served, "Referrals")
    assert saved["positions"][second] == dict(zip("xy", moved[second], strict=True))
    assert (saved["lock_version"], saved["edges"]) == (flow["lock_version"], flow["edges"])

    page.goto(f"/workflows/{flow['id']}/edit")
    with renewed(page):
        page.get_by_role("button", name="Arrange again").click()
    expect(page.locator("#arrange")).to_be_hidden()
    assert picture(page) == arranged
    with renewed(page):
        page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.locator("#arrange")).to_be_visible()
    assert picture(page) == moved


@contextmanager
def renewed(page: Page) -> Iterator[None]:
    """Wait until the server has drawn the editor anew, and its script is at it."""
    page.locator("#editor").evaluate("(one) => { one.dataset.old = ''; }")
    yield
    expect(page.locator("#editor[data-old]")).to_have_count(0)
    expect(page.locator("#editor .graph.by-hand")).to_have_count(1)


def box_of(page: Page, node: str) -> tuple[float, float]:
    """The middle of a part's name."""
    box = page.locator(f'[data-node="{node}"] .t1').bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, start: Any, right: float, down: float) -> None:
    x, y = start if isinstance(start, tuple) else (start["x"] + 6, start["y"] + 6)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right / 2, y + down / 2)
    page.mouse.move(x + right, y + down)
    page.mouse.up()


def picture(page: Page) -> dict[str, tuple[float, float]]:
    found: dict[str, list[float]] = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('[data-node]')]"
        ".map((n) => [n.dataset.node, [Number(n.dataset.x), Number(n.dataset.y)]]))"
    )
    return {key: (x, y) for key, (x, y) in found.items()}


def relative(places: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    left, top = (min(place[way] for place in places.values()) for way in (0, 1))
    return {key: (x - left, y - top) for key, (x, y) in places.items()}


def lines(page: Page) -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        ".graph .edge", "all => all.map((line) => line.getAttribute('d'))"
    )
    return found


def test_two_who_edit_at_once_lose_nothing(served: Served, page: Page) -> None:
    project = project_of(served)
    flow = project["workflows"][0]
    page.goto(f"/workflows/{flow['id']}/edit")
    jobs = [{**job, "body": "fn(s => 7)"} if job["id"] == FETCH else job for job in flow["jobs"]]
    served.deploy({"id": project["id"], "workflows": [{"id": flow["id"], "jobs": jobs}]})
    page.get_by_label("Name", exact=True).first.fill("Get")
    page.keyboard.press("Control+s")
    expect(page.locator("#conflict .d-new")).to_have_text("+fn(s => 7)")
    expect(page.get_by_label("Name", exact=True).first).to_have_value("Get")
    page.get_by_role("button", name="Save mine over it").click()
    page.wait_for_url(f"**/workflows/{flow['id']}")
    expect(page.locator("#part h2")).to_have_text("Get")
    after = workflow_of(served, flow["name"])
    assert after["jobs"][0]["body"] == "fn(s => s)"
    assert after["triggers"] == flow["triggers"]


def test_without_scripts_a_mistake_is_told_and_a_removal_undone(
    served: Served, browser: Browser
) -> None:
    flow = workflow_of(served, "Referrals")
    context = browser.new_context(java_script_enabled=False, base_url=served.url)
    page = context.new_page()
    page.goto(served.new_link())
    page.goto(f"/workflows/{flow['id']}/edit")
    page.get_by_role("button", name="Remove the step Fetch").click()
    expect(page.locator("#steps > details")).to_have_count(1)
    expect(page.locator("#paths fieldset")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#paths fieldset")).to_have_count(2)
    page.get_by_label("Name", exact=True).first.fill("Get/it")
    page.get_by_label("Code", exact=True).first.fill("fn(state => {")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#problems")).to_contain_text("Get/it")
    expect(page.locator("#steps .l-error").first).to_contain_text("Line 1")
    expect(page.get_by_label("Code", exact=True).first).to_have_value("fn(state => {")
    page.get_by_label("Name", exact=True).first.fill("Get it")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#broken")).to_contain_text("the code of Get it cannot run")
    assert workflow_of(served, "Referrals") == flow
    page.get_by_role("button", name="Save it as it is").click()
    expect(page.locator("#versions li").first).to_contain_text("Version 2")
    page.set_viewport_size({"width": 360, "height": 740})
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_role("button", name="Add a start").click()
    expect(page.locator("#begins .times time")).to_have_count(5)
    box = page.locator("#begins").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 360, "a wide graph made all panels wide"
    context.close()


def clip_of(served: Served, run: str) -> str:
    """The input of a run."""
    data = served.client.get(f"/api/runs/{run}").json()["data"]
    return str(data["relationships"]["dataclip"]["data"]["id"])


def test_the_code_of_a_failed_step_is_opened_with_the_input_of_its_run(
    served: Served, page: Page
) -> None:
    bad, newer = served.post({"n": 1}), served.post({"n": 2})
    ends = {"reason": "fail", "error_type": "E", "error_message": "no"}
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        talk.ok("step:complete", talk.step_end(talk.start_step(), **ends))
        talk.complete(**ends)
    clip = clip_of(served, bad)
    assert clip != clip_of(served, newer)
    page.goto(f"/runs/{bad}")
    page.get_by_role("link", name="Open in the editor").click()
    expect(page.locator("[name=input]")).to_have_value(clip)
    expect(page.locator(".last").first).to_contain_text("In the last run: Failed")
    page.get_by_role("button", name="Check").click()
    expect(page.locator("#checked")).to_be_visible()
    expect(page.locator("[name=input]")).to_have_value(clip)
    page.get_by_role("button", name="Save and run").click()
    page.wait_for_url("**/runs/*")
    again = page.url.rpartition("/")[2]
    assert clip_of(served, again) == clip
    page.goto(f"/workflows/{project_of(served)['workflows'][0]['id']}/edit")
    page.get_by_role("link", name="its input and output").first.click()
    expect(page.locator("#step h2")).to_have_text("Fetch")
