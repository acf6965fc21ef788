"""Pictures of pages are the same as long as nothing has changed, and differ when something has."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from look.__main__ import changed, compare
from look.pictures import only_pages, picture
from support.platform import Served


def test_only_a_change_of_the_page_is_a_difference(
    browser: Browser, served: Served, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in ("before", "same", "changed")]
    context = browser.new_context(base_url=served.url, viewport={"width": 600, "height": 400})
    page = context.new_page()
    page.goto(served.new_link())
    page.route("**/*", only_pages)
    for folder in folders:
        folder.mkdir()
        served.post()
        if folder.name == "changed":
            page.add_init_script(
                "addEventListener('load', () => { document.body.style.paddingTop = '9px'; })"
            )
        picture(page, "/workers", folder / "workers.png")
    context.close()
    assert changed(compare(folders[0], folders[1], tmp_path / "none")) == []
    assert changed(compare(folders[0], folders[2], tmp_path / "some")) == ["workers.png"]
    assert [file.name for file in (tmp_path / "some").iterdir()] == ["workers.png"]
