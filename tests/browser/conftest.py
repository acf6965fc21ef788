"""Headless Chromium and a real platform."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from support.platform import Served
from support.system import program

#: No sandbox: the tests run as root in containers. The rest keeps Chromium from the network.
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ends with its module: while it is open, this thread has a running event loop."""
    shell = "chromium-headless-shell"  # takes half of the processor's time
    path = shutil.which(shell) or shutil.which("chromium") or program(shell)
    expect.set_options(timeout=15_000)  # a loaded machine is no fault of the page
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path / "data") as server:
        server.deploy()
        yield server


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """A page whose every complaint, and every request elsewhere, fails the test."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, base_url=served.url, reduced_motion="reduce"
    )
    context.set_default_timeout(15_000)
    opened = context.new_page()
    opened.goto(served.new_link())
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    opened.on(
        "console",
        # "info" is a remark of Chromium: of a focus that is where it was, say
        lambda said: (
            wrong.append(f"{said.type}: {said.text}") if said.type not in ("log", "info") else None
        ),
    )
    opened.on(
        "request",
        lambda asked: (
            None if asked.url.startswith((served.url, "data:")) else wrong.append(asked.url)
        ),
    )
    yield opened
    context.close()
    # Chromium reports a form that was refused (422) as a failed load
    assert [text for text in wrong if "status of 422" not in text] == []
