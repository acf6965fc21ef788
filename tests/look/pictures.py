"""Pictures of all pages: light, dark, and on a phone. `python -m look.pictures FOLDER`.

Numbers and identities differ from run to run: each digit is drawn as 0, and nothing moves.
The scene is made with frames of the worker's protocol, which older revisions understand, too.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, Route, sync_playwright

from support.pages import filled
from support.platform import Served
from support.system import program

#: No sandbox: it may run as root in a container. Letters are drawn without hints of the screen.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-lcd-text", "--font-render-hinting=none"]

#: Makes a page look the same whenever it is opened.
CALM = Path(__file__).with_name("calm.js").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class View:
    """How a page is looked at."""

    name: str
    width: int
    height: int
    scheme: str


VIEWS = (
    View("light", 1280, 900, "light"),
    View("dark", 1280, 900, "dark"),
    View("phone", 360, 740, "light"),
)


def picture(page: Page, path: str, file: Path) -> None:
    """One page, from top to bottom."""
    page.goto(path)
    page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready")
    page.evaluate(CALM)
    page.screenshot(path=file, full_page=True, animations="disabled")


def only_pages(route: Route) -> None:
    """What would go on changing a page waits for ever."""
    if "/events" not in route.request.url and "hx-request" not in route.request.headers:
        route.continue_()


def take(served: Served, paths: dict[str, str], folder: Path) -> None:
    """All pages in all views."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium"), args=ARGUMENTS)
        for view in VIEWS:
            context = browser.new_context(
                base_url=served.url, viewport={"width": view.width, "height": view.height},
                color_scheme="dark" if view.scheme == "dark" else "light",
                reduced_motion="reduce", bypass_csp=True, timezone_id="UTC", locale="en-GB",
            )  # fmt: skip
            page = context.new_page()
            page.goto(served.new_link())
            page.route("**/*", only_pages)
            for name, path in paths.items():
                picture(page, path, folder / f"{name}.{view.name}.png")
            context.close()
        browser.close()


def main(folder: str) -> None:
    with tempfile.TemporaryDirectory() as data, Served(Path(data) / "data", chores=()) as served:
        take(served, filled(served), Path(folder))


if __name__ == "__main__":
    main(sys.argv[1])
