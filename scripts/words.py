"""Write the catalogue of all words of pages: `src/holdfast/platform/web/languages/page.pot`.

    python scripts/words.py            writes it
    python scripts/words.py --check    says whether it is what the pages say

A translation is a copy, `languages/<language>/LC_MESSAGES/page.po`, made by any program that knows
gettext, and compiled beside it: `pybabel compile --use-fuzzy -d languages -D page`.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator

from holdfast.platform.settings import VARIABLES
from holdfast.platform.web.language import FOLDER
from holdfast.platform.web.render import environment

WEB = FOLDER.parent
CATALOGUE = FOLDER / "page.pot"
#: One entry: the words for one, and for many where there are such.
Entry = tuple[str, str | None]
#: Functions whose texts are words of the page.
_ONE = frozenset({"say", "later", "Explanation"})
_MANY = frozenset({"say_many", "later_many"})
_HEAD = """\
# Every word that a page shows. Written by scripts/words.py: change the pages, not this file.
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"""


def in_code(source: str) -> Iterator[Entry]:
    """The words of a module."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        texts = [text for part in node.args for text in _texts(part)]
        if node.func.id in _MANY:
            yield from zip(texts[::2], texts[1::2], strict=True)
        elif node.func.id in _ONE or node.func.id == "Words":
            yield from ((text, None) for text in texts if text)


def _texts(part: ast.expr) -> Iterator[str]:
    if isinstance(part, ast.Constant) and isinstance(part.value, str):
        yield part.value
    elif isinstance(part, ast.Dict):
        for value in part.values:
            yield from _texts(value)
    elif isinstance(part, ast.IfExp):
        yield from (*_texts(part.body), *_texts(part.orelse))


def in_template(source: str) -> Iterator[Entry]:
    """The words of a template."""
    for _, _, found in environment.extract_translations(source):  # type: ignore[attr-defined]
        texts = [text for text in (found if isinstance(found, tuple) else [found]) if text]
        yield texts[0], texts[1] if len(texts) > 1 else None


def entries() -> dict[Entry, list[str]]:
    """All words, and the files that have them."""
    found: dict[Entry, list[str]] = {}
    code = [*WEB.glob("*.py"), WEB.parent / "app.py"]
    for path in sorted([*code, *WEB.glob("templates/*.html")]):
        of = in_code if path.suffix == ".py" else in_template
        for entry in of(path.read_text(encoding="utf-8")):
            names = found.setdefault(entry, [])
            if path.name not in names:
                names.append(path.name)
    for _, _, meaning in VARIABLES.values():
        found.setdefault((meaning, None), []).append("settings.py")
    return found


def catalogue() -> str:
    """The file's text."""
    parts = [_HEAD]
    for (one, many), names in sorted(entries().items(), key=lambda item: item[0][0]):
        lines = [f"#: {' '.join(names)}", f"msgid {_quoted(one)}"]
        if many is None:
            lines.append('msgstr ""')
        else:
            lines += [f"msgid_plural {_quoted(many)}", 'msgstr[0] ""', 'msgstr[1] ""']
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def main() -> int:
    if "--check" not in sys.argv[1:]:
        CATALOGUE.parent.mkdir(exist_ok=True)
        CATALOGUE.write_text(catalogue(), encoding="utf-8")
        return 0
    if CATALOGUE.read_text(encoding="utf-8") == catalogue():
        return 0
    print(f"{CATALOGUE.name} is out of date: run python scripts/words.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
