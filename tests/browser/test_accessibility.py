"""axe-core looks at every page, light and dark; nothing leaves a phone's screen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from check_javascript import TOOLS, install
from playwright.sync_api import Browser, Page

import holdfast
from support.pages import filled
from support.platform import Served

#: What WCAG 2.2 AA asks for, as axe names its rules.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
#: All of them, and those that colours decide: nothing else differs in the dark.
ALL, COLOURS = {"type": "tag", "values": RULES}, {"type": "rule", "values": ["color-contrast"]}
SCHEMES: list[tuple[Literal["light", "dark"], object]] = [("light", ALL), ("dark", COLOURS)]
#: What violates no rule takes axe a third of its time to tell.
LOOK = "rules => axe.run({runOnly: rules, preload: false, resultTypes: ['violations']})"

#: The pages are looked at in so many tests: one for all would take too long on a slow machine.
PARTS = 6


@pytest.fixture(scope="module")
def axe() -> str:
    """The program, from npm."""
    install()
    return (TOOLS / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, list[str]]]:
    """A platform with something on every page, and the addresses of the pages."""
    with Served(tmp_path_factory.mktemp("data")) as served:
        yield served, list(filled(served).values())


def opened(browser: Browser, served: Served, **options: Any) -> Page:
    context = browser.new_context(base_url=served.url, bypass_csp=True, **options)
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.goto(served.new_link())
    return page


@pytest.mark.parametrize("part", range(PARTS))
def test_axe_finds_nothing_serious_on_any_page(
    browser: Browser, scene: tuple[Served, list[str]], axe: str, part: int
) -> None:
    served, paths = scene
    page = opened(browser, served, viewport={"width": 1280, "height": 900})
    found = []
    for path in paths[part::PARTS]:
        page.goto(path)
        page.evaluate(axe)
        for scheme, rules in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            result = page.evaluate(LOOK, rules)
            found += [
                f"{path} {item['id']} ({item['impact']}): {item['help']}; {node['html'][:160]}"
                for item in result["violations"]
                if item["impact"] in {"serious", "critical"}
                for node in item["nodes"][:3]
            ]
    page.context.close()
    assert found == []


def test_no_page_leaves_the_screen_of_a_phone(
    browser: Browser, scene: tuple[Served, list[str]]
) -> None:
    served, paths = scene
    page = opened(browser, served, viewport={"width": 360, "height": 740})
    wide = {}
    for path in paths:
        page.goto(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 360:
            wide[path] = width
    page.context.close()
    assert wide == {}


def test_scripts_and_styles_keep_to_their_bytes() -> None:
    """The run page may have 150 KB of script."""
    static = Path(holdfast.__file__).parent / "platform/web/static"
    budgets = json.loads((static / "budgets.json").read_text())
    sizes = {path.name: path.stat().st_size for path in static.iterdir()}
    assert {name: sizes[name] for name in budgets if sizes[name] > budgets[name]} == {}
    scripts = ("htmx.min.js", "live.js", "data.js")
    assert sum(budgets[name] for name in scripts) <= 150_000
