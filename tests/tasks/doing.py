"""The tasks, one function each, in the order in which one person does them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from playwright.sync_api import Page, expect

from support.product import COMMON, Product
from tasks.hand import Hand

CODE = {
    "Receive": "fn(state => { console.log('patient zanzibar', state.data.n); return state; })",
    "Check": (
        "fn(state => {\n  if (state.data.n > 1) throw new TypeError('n is too large');\n"
        "  return state;\n})"
    ),
    "Send": "fn(state => ({ ...state, data: { sent: state.data.n } }))",
}
MENDED = "fn(state => {\n  state.data.n = Math.min(1, state.data.n);\n  return state;\n})"


@dataclass
class Work:
    """One person's way through all tasks. `name`: of the workflow that they build."""

    product: Product
    hand: Hand
    name: str
    project: str
    #: Names and milliseconds of what was measured.
    measured: dict[str, float] = field(default_factory=dict)

    @property
    def page(self) -> Page:
        return self.hand.page

    def open_workflow(self, name: str) -> None:
        self.hand.open_page("Overview")
        found = self.page.locator("a[href^='/workflows/']").get_by_text(name, exact=True)
        self.hand.press(found.last)
        expect(self.page.locator("h1")).to_have_text(name)

    def open_project_page(self, name: str) -> None:
        self.hand.open_page("Overview")
        self.hand.press(self.page.get_by_role("link", name=self.project, exact=True).first)
        if not self.page.locator("h1").get_by_text(name).is_visible():
            self.hand.press(self.page.locator(".crumbs").get_by_role("link", name=name))

    def enter_a_secret(self) -> None:
        self.open_project_page("Credentials")
        form = self.page.locator("form.fields").filter(has_text="Values, as a JSON object")
        self.hand.write(form.get_by_label("Name", exact=True), f"register-{self.name}")
        self.hand.write(form.get_by_label("Values"), '{"password": "s3cret-of-the-register"}')
        self.hand.press(form.get_by_role("button", name="Set"))
        expect(
            self.page.get_by_role("cell", name=f"register-{self.name}", exact=True)
        ).to_be_visible()
        expect(self.page.locator("body")).not_to_contain_text("s3cret-of-the-register")

    def build_a_workflow_of_three_steps(self) -> None:
        self.hand.open_page("Overview")
        self.hand.write(self.page.get_by_label("Name of a new workflow").first, self.name)
        create = self.page.locator("form").filter(has_text="Name of a new workflow").first
        self.hand.press(create.get_by_role("button", name="Create"))
        for number, (step, code) in enumerate(CODE.items()):
            if number:
                self.hand.press(self.page.get_by_role("button", name="Add a step after this").last)
                expect(self.page.locator("#steps > details")).to_have_count(number + 1)
            part = self.page.locator("#steps > details").nth(number)
            expect(part).to_have_attribute("open", "")
            self.hand.write(part.get_by_label("Name", exact=True), step)
            self.hand.write(part.get_by_label("Adaptor"), COMMON)
            self.hand.write(part.get_by_role("textbox", name=re.compile("^Code of")), code)
        self.hand.picture("three-steps")
        self.hand.press(self.page.get_by_role("button", name="Save", exact=True))
        self.page.wait_for_url(re.compile("/workflows/[^/]+$"))
        expect(self.page.locator(".graph .job")).to_have_count(3)

    def run_it(self) -> None:
        self.hand.write(self.page.get_by_label("Input (JSON object)"), '{"data": {"n": 2}}')
        self.hand.press(self.page.get_by_role("button", name="Run", exact=True))
        expect(self.page.locator(".head .chip")).to_have_text("Failed", timeout=60_000)

    def find_the_failed_step(self) -> None:
        expect(self.page.locator("#outcome")).to_contain_text("n is too large")
        self.hand.press(self.page.locator("#place a").first)
        expect(self.page.locator("#step h2")).to_have_text("Check")
        expect(self.page.locator("#code .marked")).to_contain_text("TypeError")

    def mend(self) -> None:
        self.hand.press(self.page.get_by_role("link", name="Open in the editor"))
        self.hand.write(self.page.get_by_role("textbox", name="Code of Check"), MENDED)
        part = self.page.locator("#steps > details[open]")
        self.hand.unfold(part.get_by_text("Try this step alone"))
        expect(part.locator("select[name^='try:']")).to_contain_text("its last input")
        self.hand.press(part.get_by_role("button", name="Save and run this step"))
        expect(self.page.locator("#tried .chip")).to_have_text("Success", timeout=60_000)
        expect(self.page.locator("#tried pre")).to_contain_text('"n"')
        self.hand.picture("tried")
        self.hand.press(self.page.get_by_role("button", name="Save", exact=True))
        self.page.wait_for_url(re.compile("/workflows/[^/]+$"))
        expect(self.page.locator("#versions li")).to_have_count(3)

    def retry(self) -> None:
        row = self.page.locator("#live-part tr").filter(has_text="Failed").first
        self.hand.press(row.locator("a.whole"))
        failed = self.page.url
        self.hand.press(self.page.get_by_role("button", name="Retry from the start"))
        self.page.wait_for_url(lambda url: url != failed)
        expect(self.page.locator(".head .chip")).to_have_text("Success", timeout=60_000)

    def find_the_run_by_a_word_in_its_output(self) -> None:
        self.hand.open_page("Runs")
        for _ in range(30):  # a run is indexed some seconds after its end
            self.hand.write(self.page.get_by_label("Id, or words"), "zanzibar")
            self.hand.press(self.page.get_by_role("button", name="Filter"))
            found = self.page.locator("tbody tr").filter(has_text=self.name)
            if found.filter(has_text="Success").count():
                break
            self.page.wait_for_timeout(1000)
        expect(found.filter(has_text="Success").first).to_be_visible()

    def roll_back(self) -> None:
        self.open_workflow(self.name)
        first = self.page.get_by_role("listitem").filter(has_text="Version 2")
        self.hand.press(first.get_by_role("button", name="Bring back"))
        expect(self.page.locator("#versions li").first).to_contain_text("Version 4")

    def arrange_the_picture(self) -> None:
        self.hand.press(self.page.get_by_role("link", name="Edit", exact=True))
        expect(self.page.locator(".graph.by-hand")).to_be_visible()
        self.hand.drag(self.page.locator("[data-kind=job]").last, 40, 60)
        expect(self.page.get_by_role("button", name="Arrange again")).to_be_visible()
        self.hand.picture("arranged")
        self.hand.press(self.page.get_by_role("button", name="Save", exact=True))
        self.page.wait_for_url(re.compile("/workflows/[^/]+$"))
        expect(self.page.locator("#versions li").first).to_contain_text("Version 4")

    def move_data_into_a_collection(self) -> None:
        self.open_workflow(f"much-{self.name.split()[-1]}")
        self.hand.press(self.page.get_by_role("link", name="Edit", exact=True))
        self.hand.press(self.page.get_by_role("button", name="Move data to a collection"))
        expect(self.page.locator(".data-in-code .d-new").first).to_be_visible()
        self.hand.picture("move-data")
        self.hand.press(self.page.get_by_role("button", name="Move it"))
        expect(self.page.get_by_role("status").first).to_contain_text("5,000 items are in")
        self.hand.press(self.page.get_by_role("button", name="Save", exact=True))
        self.page.wait_for_url(re.compile("/workflows/[^/]+$"))
        self.hand.write(self.page.get_by_label("Input (JSON object)"), '{"data": {"n": 3}}')
        self.hand.press(self.page.get_by_role("button", name="Run", exact=True))
        expect(self.page.locator(".head .chip")).to_have_text("Success", timeout=60_000)
        expect(self.page.locator("#output")).to_contain_text("site-3")

    def secure_a_webhook(self) -> None:
        self.open_project_page("Tokens and webhook keys")
        form = self.page.locator("form").filter(has_text="Create, or give it a new secret")
        key = f"partner-{self.name}"
        self.hand.write(form.get_by_label("Name", exact=True), key)
        self.hand.press(form.get_by_role("button"))
        secret = self.page.locator("#token").inner_text()
        self.open_workflow(self.name)
        self.hand.press(self.page.locator("#starts").get_by_role("button", name="Turn on"))
        expect(self.page.locator("#starts .chip")).to_have_text("On")
        address = self.page.locator("#webhook").inner_text()
        assert self.product.web.post(address, json={"n": 1}).status_code == 200
        self.hand.press(self.page.get_by_role("link", name="Edit", exact=True))
        self.hand.unfold(self.page.get_by_text("Address, keys, answer"))
        self.hand.press(self.page.get_by_label(key))
        self.hand.picture("key-ticked")
        self.hand.press(self.page.get_by_role("button", name="Save", exact=True))
        self.page.wait_for_url(re.compile("/workflows/[^/]+$"))
        assert self.product.web.post(address, json={"n": 1}).status_code == 401
        headers = {"x-api-key": secret}
        assert self.product.web.post(address, json={"n": 1}, headers=headers).status_code == 200

    def run_the_old_code(self) -> None:
        self.open_workflow(self.name)
        self.run_it()

    def abort_a_run(self) -> None:
        self.open_workflow("slow")
        self.hand.press(self.page.get_by_role("button", name="Run", exact=True))
        expect(self.page.locator(".head .chip")).to_have_text("Running", timeout=60_000)
        expect(self.page.locator(".k-operation")).to_contain_text("1. fn()")  # while it goes
        self.hand.press(self.page.get_by_role("button", name="Cancel"))
        expect(self.page.locator(".head .chip")).to_have_text("Cancelled", timeout=60_000)

    def read_line_73412(self) -> None:
        self.open_workflow("long")
        self.hand.press(self.page.locator("#live-part a.whole").first)
        expect(self.page.locator("#log-where")).to_contain_text("of 100,0")
        self.hand.write(self.page.get_by_label("Line", exact=True), "73,412")
        self.page.evaluate("window.asked = performance.now()")
        self.hand.press(self.page.locator("#log-panel").get_by_role("button", name="Show"))
        expect(self.page.locator("#L73412")).to_be_in_viewport()
        assert self.page.locator("#log .line").count() <= 2000

    def compare_two_runs(self) -> None:
        self.open_workflow(self.name)
        failed = self.page.locator("#live-part tr").filter(has_text="Failed").first
        self.hand.press(failed.locator("a.whole"))
        self.hand.press(self.page.get_by_role("link", name=re.compile("^Compare")))
        expect(self.page.locator("h1")).to_contain_text("Run")
        expect(self.page.locator("main")).to_contain_text("The last success")
        expect(self.page.locator("#input .c-changed").first).to_be_visible()


#: What is done with a script, in this order.
TASKS = (
    Work.enter_a_secret, Work.build_a_workflow_of_three_steps, Work.run_it,
    Work.find_the_failed_step, Work.mend, Work.retry,
    Work.find_the_run_by_a_word_in_its_output, Work.roll_back, Work.arrange_the_picture,
    Work.secure_a_webhook, Work.run_the_old_code, Work.compare_two_runs, Work.abort_a_run,
    Work.move_data_into_a_collection, Work.read_line_73412,
)  # fmt: skip
#: What reads only: it is done without scripts, too.
READING = (
    Work.find_the_run_by_a_word_in_its_output, Work.read_line_73412, Work.compare_two_runs,
)  # fmt: skip
