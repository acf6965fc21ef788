"""Files that code and documents cite exist in the repository; nothing outside it is cited."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = "docs|src|tests|benchmarks|scripts|examples"
#: A path from the root of the repository, wherever it stands.
PATH = re.compile(rf"(?<![\w/.…>}}-])(?:{ROOMS})/[\w./-]*\w\.(?:md|py|mjs|js|json|yaml|toml|sh)\b")
#: A page named without its folder.
PAGE = re.compile(r"(?<![\w/.…-])[a-z][\w-]*\.md\b")
#: A file of tests, named below `tests/`.
TEST_FILE = re.compile(
    r"(?<![\w/])(?:unit|component|acceptance|browser|conformance|chaos)/[\w/]+\.py\b"
)
#: A test by its name, or by how its name begins: `::test_w24_…`.
TEST_NAME = re.compile(r"::(test_\w+)(…?)")
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)")
#: `docs/spec/runtime.md` 4.3: the section has a heading of that number.
SECTION = re.compile(r"(docs/(?:spec/)?[a-z-]+\.md)`?,? (?:sections? )?(\d+(?:\.\d+)*)")
HEADING = re.compile(r"^#+ (\d+(?:\.\d+)*)\.?\s|^(\d+)\. ", re.MULTILINE)
CODE = re.compile(r"`[^`]*`")
TEXT = {".py", ".mjs", ".js", ".md", ".json", ".yaml", ".toml", ".html", ".sh", ""}
#: They quote paths of the reference's repositories, or file names that a case needs.
QUOTES = (
    "docs/spec/",
    "docs/research/",
    "tests/conformance/cases/",
    "tests/unit/test_citations.py",
)
#: Made by tools or at run time.
MADE = {"uv.lock", ".git"}


def texts() -> Iterator[tuple[str, str]]:
    """Every text file of the project that may cite: path and content."""
    rooms = [ROOT / room for room in (*ROOMS.split("|"), ".ci", ".github")]
    for path in [*ROOT.iterdir(), *(path for room in rooms for path in room.rglob("*"))]:
        name = path.relative_to(ROOT).as_posix()
        if path.is_file() and path.suffix in TEXT and name not in MADE:
            yield name, path.read_text(encoding="utf-8")


FILES = dict(texts())
CITING = {name: text for name, text in FILES.items() if not name.startswith(QUOTES)}


def missing_from(name: str, text: str) -> list[str]:
    """What a file cites and the repository does not have."""
    folder = (ROOT / name).parent
    cited = [path for path in PATH.findall(text) if not (ROOT / path).exists()]
    pages = [page for page in PAGE.findall(text) if not _is_page(folder, page)]
    return cited + pages


def missing_tests(text: str, names: frozenset[str]) -> list[str]:
    """Cited files of tests that are not there, and cited tests that no file has."""
    files = [path for path in TEST_FILE.findall(text) if not (ROOT / "tests" / path).exists()]
    cited = [
        name
        for name, more in TEST_NAME.findall(text)
        if not (any(known.startswith(name) for known in names) if more else name in names)
    ]
    return files + cited


def dead_links(name: str, text: str) -> list[str]:
    """Links of a page that lead to no file; addresses of the web are not followed."""
    links = [link for link in LINK.findall(text) if "://" not in link and ":" not in link[:8]]
    return [link for link in links if not ((ROOT / name).parent / link).exists()]


def missing_sections(text: str) -> list[str]:
    """Cited numbers of sections that their page does not have."""
    cited = [(page, number) for page, number in SECTION.findall(text) if page in FILES]
    return [f"{page} {number}" for page, number in cited if number not in headings(FILES[page])]


def headings(page: str) -> set[str]:
    """The numbers of a page's headings, and of a list that is numbered."""
    return {first or second for first, second in HEADING.findall(page)}


def _is_page(folder: Path, page: str) -> bool:
    return (folder / page).exists() or (ROOT / page).exists() or (ROOT / "docs" / page).exists()


def failing(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """Only the files with something wrong in them."""
    return {name: wrong for name, wrong in found.items() if wrong}


def test_every_cited_file_exists() -> None:
    assert failing({name: missing_from(name, text) for name, text in CITING.items()}) == {}


def test_every_cited_test_exists() -> None:
    tests = "".join(text for name, text in FILES.items() if name.startswith("tests/"))
    names = frozenset(re.findall(r"def (test_\w+)\(", tests))
    pages = {name: text for name, text in CITING.items() if name.endswith(".md")}
    assert failing({name: missing_tests(text, names) for name, text in pages.items()}) == {}


def test_every_link_of_a_page_leads_to_a_file() -> None:
    pages = {name: CODE.sub("", text) for name, text in FILES.items() if name.endswith(".md")}
    assert failing({name: dead_links(name, text) for name, text in pages.items()}) == {}


def test_every_cited_section_has_a_heading() -> None:
    assert failing({name: missing_sections(text) for name, text in CITING.items()}) == {}


def test_nothing_outside_the_repository_is_cited() -> None:
    """No folder beside the clone, and no folder of the machine it was written on."""
    outside = re.compile(r"\.\./" + "shared|/" + r"work/(?:main|shared|team|w-)")
    assert [name for name, text in FILES.items() if outside.search(text)] == []


def test_a_wrong_citation_is_found() -> None:
    gone = "gone" + ".md"
    text = f"See `docs/{gone}`, docs/spec/{gone} 3 and `{gone}`, [here]({gone})."
    assert missing_from("src/a.py", text) == [f"docs/{gone}", f"docs/spec/{gone}", gone, gone]
    assert dead_links("docs/a.md", text) == [gone]
    wrong = "`unit/gone.py::test_a_thing` and `…::test_other_…`"
    assert missing_tests(wrong, frozenset({"test_a"})) == [
        "unit/gone.py", "test_a_thing", "test_other_",
    ]  # fmt: skip
    assert missing_sections("docs/spec/runtime.md " + "99.7") == ["docs/spec/runtime.md 99.7"]
