"""A hand on a browser: with a mouse, or with nothing but a keyboard. No address is typed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

#: Presses of Tab after which something cannot be reached by keyboard.
_MOST_TABS = 400
_HAS_FOCUS = """one => {
  const here = one.getRootNode().activeElement;
  return here !== null && (here === one || one.contains(here));
}"""


@dataclass
class Hand:
    """`keys`: it has no mouse. Each picture that it takes has a number and a name."""

    page: Page
    folder: Path
    keys: bool = False
    taken: int = 0

    def press(self, what: Locator) -> None:
        """A button, a link, a box, or the head of something folded."""
        if not self.keys:
            what.click()
            return
        self.go_to(what)
        box = what.evaluate("one => one.type === 'checkbox'")
        self.page.keyboard.press("Space" if box else "Enter")

    def write(self, where: Locator, text: str) -> None:
        """Put a text in the place of what a field has."""
        if self.keys:
            self.go_to(where)
        else:
            where.click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)

    def go_to(self, what: Locator) -> None:
        """Reach something with Tab, as a person without a mouse does."""
        expect(what).to_be_visible()
        for _ in range(_MOST_TABS):
            if what.evaluate(_HAS_FOCUS):
                return
            self.page.keyboard.press("Tab")
        message = f"Tab does not reach {what}"
        raise AssertionError(message)

    def drag(self, part: Locator, right: int, down: int) -> None:
        """Move a part of a workflow's picture: with the mouse, or with the arrow keys."""
        if self.keys:
            self.go_to(part.locator("a"))
            for key, way in (("ArrowRight", right), ("ArrowDown", down)):
                for _ in range(way // 20):
                    self.page.keyboard.press(key)
            return
        part.scroll_into_view_if_needed()
        box = part.locator(".t1").bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + right / 2, y + down / 2)
        self.page.mouse.move(x + right, y + down)
        self.page.mouse.up()

    def open_page(self, name: str) -> None:
        """One of the main pages, by the menu."""
        menu = self.page.get_by_role("button", name="Menu", exact=True)
        if menu.is_visible():
            self.press(menu)
        self.press(self.page.locator("#menu").get_by_role("link", name=name, exact=True))

    def unfold(self, head: Locator) -> None:
        """Open what is folded, unless it is open."""
        if not head.evaluate("one => one.closest('details').open"):
            self.press(head)

    def picture(self, name: str) -> None:
        """What is seen now, kept as a file."""
        self.taken += 1
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{self.taken:02d}-{name}.png"
        self.page.screenshot(path=file, full_page=True, animations="disabled")
