"""All tasks of people on the page, in a real Chromium against a real `holdfast up`: `make tasks`.

Each is done with a mouse, with a keyboard alone, on a phone (360 px) and at 400 kbit/s with 300
ms of delay; what reads only, without scripts, too. No address is typed: a person begins at the
link that `holdfast up` prints. Pictures of each end are left in `build/tasks`. Exit 1: a task
failed, or a budget is not kept.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.adaptors import installed  # noqa: E402 - the folder of tests is no package
from support.command import run  # noqa: E402
from support.product import Product, start  # noqa: E402
from support.system import program  # noqa: E402
from tasks.doing import READING, TASKS, Work  # noqa: E402
from tasks.hand import Hand  # noqa: E402

OUT = ROOT / "build" / "tasks"
#: Bytes a second and milliseconds of the slow link; what the first paint of a run may take on it.
_SLOW, _DELAY_MS, _PAINT_MS = 400_000 / 8, 300, 1500
#: Bytes of script that the page of a run may have.
_SCRIPT = 150_000
_SLEEPS = "fn(async s => { await new Promise(done => setTimeout(done, 120000)); return s; })"
_WRITES = "fn(s => { for (let n = 1; n <= 100000; n++) console.log(`line ${n}`); return s; })"


#: How much of the page has moved by itself.
_SHIFT = """new Promise(done => {
  let all = 0;
  new PerformanceObserver(list => { for (const one of list.getEntries()) all += one.value; })
    .observe({type: 'layout-shift', buffered: true});
  setTimeout(() => done(all), 500);
})"""
_SCRIPTS = """Promise.all([...document.scripts].filter(one => one.src)
  .map(async one => (await (await fetch(one.src)).text()).length))
  .then(all => all.reduce((one, two) => one + two))"""


@dataclass(frozen=True, slots=True)
class View:
    """How somebody looks at the page, and with what they reach it."""

    name: str
    width: int = 1280
    height: int = 900
    keys: bool = False
    slow: bool = False
    script: bool = True


VIEWS = (
    View("mouse"), View("keyboard", keys=True), View("phone", 360, 740), View("slow", slow=True),
)  # fmt: skip


@contextmanager
def opened(browser: Browser, product: Product, view: View) -> Iterator[Page]:
    """The page after the link that the command prints."""
    context = browser.new_context(
        viewport={"width": view.width, "height": view.height}, reduced_motion="reduce",
        java_script_enabled=view.script,
    )  # fmt: skip
    context.set_default_timeout(60_000 if view.slow else 15_000)
    page = context.new_page()
    link = run("open", "--print", "--data", str(product.data)).stdout.strip()
    if view.slow:
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        speed = {"latency": _DELAY_MS, "downloadThroughput": _SLOW, "uploadThroughput": _SLOW}
        session.send("Network.emulateNetworkConditions", {"offline": False, **speed})
    page.goto(link)
    yield page
    context.close()


def do_all(work: Work, tasks: tuple[Callable[[Work], None], ...], view: View) -> list[str]:
    """What went wrong, after a line for each task."""
    for task in tasks:
        began = time.monotonic()
        try:
            task(work)
        except Exception as error:
            work.hand.picture(f"{task.__name__}-FAILED")
            told = re.sub(r"\x1b\[[\d;]*m", "", str(error)).strip()
            sys.stdout.write(f"{view.name:>9} {task.__name__}: FAILED\n{told[:1500]}\n")
            return [f"{view.name}: {task.__name__}"]
        work.hand.picture(task.__name__)
        took = time.monotonic() - began
        sys.stdout.write(f"{view.name:>9} {task.__name__:<40} {took:6.1f} s\n")
        sys.stdout.flush()
    return []


def budgets(browser: Browser, product: Product, address: str) -> list[str]:
    """First paint of a run's page on the slow link with nothing kept, and its bytes of script."""
    with opened(browser, product, View("budget", slow=True)) as page:
        session = page.context.new_cdp_session(page)
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        page.goto(address, wait_until="load")
        paint = page.evaluate(
            "performance.getEntriesByName('first-contentful-paint')[0].startTime"
        )
        shift, scripts = page.evaluate(_SHIFT), page.evaluate(_SCRIPTS)
    sys.stdout.write(
        f"   budget first paint at 400 kbit/s and 300 ms: {paint:.0f} ms (bar {_PAINT_MS})\n"
        f"   budget script of a run's page: {scripts:,} bytes (bar {_SCRIPT:,})\n"
        f"   budget layout shift of a run's page: {shift:.3f} (bar 0.1)\n"
    )
    kept = {"first paint": paint <= _PAINT_MS, "script": scripts <= _SCRIPT, "shift": shift <= 0.1}
    return [f"budget: {name}" for name, good in kept.items() if not good]


def prepared(product: Product, views: list[str]) -> None:
    """Workflows that others have made: one that takes long, one that writes much; and one with
    much data in its code for each view."""
    product.deploy("slow", _SLEEPS)
    rows = [
        {"id": f"site-{n}", "name": "Clinic of the upper village", "n": n} for n in range(5000)
    ]
    code = f"const sites = {json.dumps(rows)};\nfn(s => ({{ ...s, site: sites[s.data.n].id }}))"
    for view in views:
        product.deploy(f"much-{view}", code)
    product.finished(product.send(product.deploy("long", _WRITES), {}), 300)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    names = [view.name for view in VIEWS]
    parser.add_argument("--views", default=",".join(names), help=f"some of {','.join(names)}")
    wanted = parser.parse_args().views.split(",")
    shutil.rmtree(OUT, ignore_errors=True)
    expect.set_options(timeout=30_000)
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        shell = shutil.which("chromium-headless-shell") or program("chromium")
        browser = playwright.chromium.launch(executable_path=shell, args=["--no-sandbox"])
        product = start(Path(folder) / "data", Path(folder), installed())
        try:
            prepared(product, wanted)
            for view in (one for one in VIEWS if one.name in wanted):
                with opened(browser, product, view) as page:
                    hand = Hand(page, OUT / view.name, view.keys)
                    work = Work(product, hand, f"Register {view.name}", "long")
                    wrong = do_all(work, TASKS, view)
                failed += wrong
                if not wrong:
                    plain = replace(view, keys=False, slow=False, script=False)
                    with opened(browser, product, plain) as page:
                        hand = Hand(page, OUT / f"{view.name}-unscripted")
                        reads = Work(product, hand, work.name, "long")
                        failed += do_all(reads, READING, View(f"{view.name}, no script"))
            newest = product.get("/api/runs?state=failed")["data"][0]["id"]
            failed += budgets(browser, product, f"{product.url}/runs/{newest}")
        finally:
            product.up.stop()
            browser.close()
    sys.stdout.write(f"{'FAILED: ' + ', '.join(failed) if failed else 'all tasks done'}\n")
    sys.stdout.write(f"pictures: {OUT.relative_to(ROOT)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
