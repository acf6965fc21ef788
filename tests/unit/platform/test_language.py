"""All words of pages are in one catalogue, and a translation of it is spoken."""

from __future__ import annotations

import ast
import gettext
import re
import struct
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import nodes

from holdfast.platform.web import language
from holdfast.platform.web.explain import explain
from holdfast.platform.web.language import best, say, say_many
from holdfast.platform.web.render import environment, part
from holdfast.platform.web.words import LABELS, handled_words

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

import words

TEMPLATES = sorted(words.WEB.glob("templates/*.html"))
SCRIPTS = sorted(path for path in words.WEB.glob("static/*.js") if ".min." not in path.name)
#: What people see of a tag, besides its text.
SEEN = frozenset({"title", "aria-label", "placeholder", "alt", "data-label", "label"})
#: Stands for words that are translated. Of a tag, those that people see may be, and no others.
SAID = "§"
MACRO = r"\{%-?\s*macro (\w+)\([^%]*\)\s*-?%\}(.*?)\{%-?\s*endmacro\s*-?%\}"
#: Tags whose text is code.
CODE = frozenset({"code", "kbd", "pre", "script", "style"})
#: Examples of what may be written, which are no words.
EXAMPLES = frozenset({
    "0 6 * * *", "UTC", "https://", "https://example.org", "jo@example.org", "my-clinic",
    "new-patients", "state.data.n > 0",
})  # fmt: skip
#: Texts in expressions that look like words: classes, and a trigger of htmx.
NO_WORDS = frozenset({"tiny more", "tiny danger", "load delay:20ms, click", "small soft"})
KEYS = frozenset({"Enter", "Escape", "Content"})
LOOKS_LIKE_WORDS = re.compile(r"[A-Z][a-z]+[ .:…]?.*|\W*[a-z]{2,},? [a-z]{2,}.*", re.DOTALL)


class Bare(HTMLParser):
    """Words of a template that no catalogue has."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"input", "link", "meta", "br"}:
            self.inside.append(tag)
        for name, value in [(tag, None), *attrs]:
            seen = name in SEEN and value and value not in EXAMPLES
            notation = SAID in name or (SAID in (value or "") and name not in SEEN)
            if notation or (seen and re.search(r"[A-Za-z]", value or "")):
                self.found.append(f"{name}={value}")

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if re.search(r"[A-Za-z]", data) and not CODE.intersection(self.inside):
            self.found.append(data.strip())


def in_tags(source: str) -> str:
    """The template with the bodies of its macros where they are called within a tag."""
    for name, body in re.findall(MACRO, source, flags=re.DOTALL):
        call = rf"(<\w[^<>]*)\{{\{{\s*{name}\(.*?\}}\}}"
        if re.search(call, source):
            source = re.sub(MACRO.replace(r"(\w+)", f"({name})"), "", source, flags=re.DOTALL)
            source = re.sub(call, lambda found, body=body: found[1] + body, source)  # type: ignore[misc]
    return source


def is_constant(text: nodes.Expr) -> bool:
    """The catalogue reads nothing else. A translated block's text is marked as safe."""
    if isinstance(text, nodes.MarkSafe | nodes.MarkSafeIfAutoescape):
        text = text.expr
    return isinstance(text, nodes.Const)


def bare_words(source: str) -> list[str]:
    """Text and attributes that people see and that are not translated, and translated notation."""
    plain = re.sub(r"\{%-?\s*trans\b.*?\bendtrans\s*-?%\}", SAID, in_tags(source), flags=re.DOTALL)
    plain = re.sub(r"(</?)\{\{.*?\}\}", r"\1div", plain, flags=re.DOTALL)
    plain = re.sub(r"\{\{((?!\}\}).)*?\b_\(.*?\}\}", SAID, plain, flags=re.DOTALL)
    plain = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", plain, flags=re.DOTALL)
    parser = Bare()
    parser.feed(plain)
    parser.close()
    said, unread = set[int](), list[str]()
    tree = environment.parse(source)
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in {"_", "gettext", "ngettext"}:
            said |= {id(part) for part in call.find_all(nodes.Const)}
            unread += [f"line {call.lineno}" for text in call.args[:1] if not is_constant(text)]
    return parser.found + unread + [
        const.value for const in tree.find_all(nodes.Const)
        if isinstance(const.value, str) and id(const) not in said
        and LOOKS_LIKE_WORDS.fullmatch(const.value) and const.value not in NO_WORDS
    ]  # fmt: skip


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_holds_no_bare_word(path: Path) -> None:
    assert bare_words(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    ["<p>Words</p>", '<a title="Words">{{ x }}</a>', "<p>{{ x }} words</p>", '{{ "Some words" }}',
     '<input placeholder="Words">', "{% if x %}no {% endif %}", '{{ go("", "Two words") }}',
     '<details{% if x %} {{ _("open") }}{% endif %}>', '<p class="{{ _("small") }}">{{ x }}</p>',
     '{% macro m(x) %}{{ _("open") }}{% endmacro %}<details{{ m(1) }}>{{ x }}</details>',
     '{{ _("One" if x else "two") }}'],
)  # fmt: skip
def test_a_bare_word_is_found(source: str) -> None:
    assert bare_words(source)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_holds_no_bare_word(path: Path) -> None:
    code = re.sub(r"/\*.*?\*/|(?m:^\s*//.*$|(?<=[;{]) // .*$)", "", path.read_text("utf-8"),
                  flags=re.DOTALL)  # fmt: skip
    found = [one or two for one, two in re.findall(r"'([^'\n]*)'|`([^`]*)`", code)]
    assert [
        text for text in found
        if LOOKS_LIKE_WORDS.fullmatch(text) and text not in NO_WORDS | KEYS
    ] == []  # fmt: skip


def test_a_message_of_a_page_is_translated() -> None:
    """Arguments of `message`, and what pages are given as their words, come from `say`."""
    found = []
    for path in (*words.WEB.glob("*.py"), words.WEB.parent / "app.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                continue
            told = [item.value for item in call.keywords
                    if item.arg in {"error", "done", "title", "wrong"}]  # fmt: skip
            told += call.args[1:] if call.func.id == "message" else []
            found += [f"{path.name}:{one.lineno}" for one in told
                      if isinstance(one, ast.JoinedStr)
                      or isinstance(getattr(one, "value", None), str)]  # fmt: skip
    assert found == []


def test_the_catalogue_is_what_the_pages_say() -> None:
    text = words.CATALOGUE.read_text(encoding="utf-8")
    assert text == words.catalogue(), "run: python scripts/words.py"
    every = {one for one, _ in words.entries()}
    assert {"Last runs", "Waiting", "There is no such run.", "Copied"} <= every


def test_both_words_of_a_condition_are_in_the_catalogue() -> None:
    code = 'say("Yes" if x else "No"); later(a if b else "Perhaps")'
    assert {one for one, _ in words.in_code(code)} == {"Yes", "No", "Perhaps"}


def test_words_are_whole_sentences_or_parts_that_stand_alone() -> None:
    """A translator cannot join pieces: in other languages they stand in another order."""
    assert [one for one, _ in words.entries() if re.match(r"[\s,;:.)]|.*[\s,;(]$", one)] == []


def compiled(entries: dict[str, str]) -> bytes:
    """A translation as gettext's programs write it (`.mo`)."""
    head = "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=n != 1;\n"
    entries = {"": head} | entries
    keys = sorted(entries)
    ids = [key.encode() for key in keys]
    texts = [entries[key].encode() for key in keys]
    at = 28 + 16 * len(keys)
    tables, body = [], b""
    for column in (ids, texts):
        table = b""
        for item in column:
            table += struct.pack("<II", len(item), at + len(body))
            body += item + b"\0"
        tables.append(table)
    numbers = struct.pack("<7I", 0x950412DE, 0, len(keys), 28, 28 + 8 * len(keys), 0, 0)
    return numbers + b"".join(tables) + body


def test_a_translation_is_spoken_to_who_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "de" / "LC_MESSAGES" / "page.mo"
    file.parent.mkdir(parents=True)
    file.write_bytes(compiled({
        "Waiting": "Wartet", "To the overview": "Zur Übersicht",
        "There is no such run.": "Diesen Lauf gibt es nicht.",
        "The run is under way.": "Der Lauf ist unterwegs.",
        "Success, %(count)s step failed and was handled\0Success, %(count)s steps failed and were"
        " handled": "Erfolg, %(count)s Schritt misslang\0Erfolg, %(count)s Schritte misslangen",
    }))  # fmt: skip
    monkeypatch.setattr(language, "FOLDER", tmp_path)
    language.known.cache_clear()
    language._of.cache_clear()
    token = language._chosen.set("en")
    try:
        assert LABELS["available"] == "Waiting"
        language.speak("fr, de-AT;q=0.9, en;q=0.1")
        assert LABELS["available"] == "Wartet"
        assert handled_words(1) == "Erfolg, 1 Schritt misslang"
        assert handled_words(2) == "Erfolg, 2 Schritte misslangen"
        assert explain("started", None).what == "Der Lauf ist unterwegs."
        shown = part("message.html", title="x", text=say("There is no such run."))
        assert '<html lang="de">' in shown
        assert "Diesen Lauf gibt es nicht." in shown
        assert "Zur Übersicht" in shown
        language.speak("fr")
        assert LABELS["available"] == "Waiting"
    finally:
        language._chosen.reset(token)
        language.known.cache_clear()
        language._of.cache_clear()


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [("", "en"), ("de", "de"), ("de-CH, fr;q=0.5", "de"), ("de;q=0.2, fr;q=0.5", "fr"),
     ("xx, *;q=0.1", "en"), ("DE", "de"), ("de;q=0, fr", "fr"), ("de;q=x, fr", "fr"),
     ("en, de", "en"), ("," * 5000, "en")],
)  # fmt: skip
def test_the_language_is_the_one_that_a_browser_wants_most(accepted: str, chosen: str) -> None:
    assert best(accepted, frozenset({"en", "de", "fr"})) == chosen


def test_words_take_values() -> None:
    assert say("%(time)s ago", time="2 s") == "2 s ago"
    assert say("100 %") == "100 %"
    assert say_many("%(count)s run", "%(count)s runs", 1) == "1 run"
    assert say_many("%(count)s run", "%(count)s runs", 1200) == "1,200 runs"
    assert isinstance(gettext.NullTranslations(), type(language._of("none")))
