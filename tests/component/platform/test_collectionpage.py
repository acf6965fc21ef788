"""The pages of collections: make, upload, browse, search, download, delete."""

from __future__ import annotations

import html
import json
import re
from typing import Any
from urllib.parse import quote

import pytest
from starlette.responses import Response

from holdfast.platform.settings import VARIABLES
from holdfast.platform.store import collections
from holdfast.platform.store.database import Row
from holdfast.platform.web import collectionpage
from holdfast.platform.web.instance import shown
from holdfast.platform.web.render import page
from support.platform import Served

OWN = "/projects/demo/collections"


def sent(served: Served, path: str, **fields: str) -> str:
    """Where a form that was taken leads to."""
    answer = served.client.post(path, data=fields)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def keys(served: Served, path: str) -> list[str]:
    answer = served.client.get(path)
    assert answer.status_code == 200
    found = re.findall(
        r'<td class="mono">(.*?)</td>\s*<td class="mono value"', answer.text, re.DOTALL
    )
    return [html.unescape(key) for key in found]


def remove_one(served: Served, where: str, key: str) -> None:
    """Use the button in the row of this key."""
    rows = served.client.get(f"{where}?q={quote(key)}").text.split("<tr>")
    (row,) = (row for row in rows if f'<td class="mono">{html.escape(key)}</td>' in row)
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', row))
    assert sent(served, f"{where}/items/remove", **form) == f"{where}?done=deleted-1"


def test_items_are_uploaded_found_taken_and_deleted(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collectionpage, "_PAGE", 3)
    monkeypatch.setattr(collections, "_PIECE_BYTES", 40)
    where = sent(served, OWN, name="codes & more")
    given = {f"site-{n}": {"n": n} for n in range(4)} | {"<b>": "x" * 3000}
    assert sent(served, where, items=json.dumps(given), form="json") == f"{where}?done=put-5"
    assert "Stored: 5." in served.client.get(f"{where}?done=put-5").text
    assert keys(served, where) == ["site-0", "site-1", "site-2"]
    further = re.search(r'href="([^"]*after=\d+)"', served.client.get(where).text)
    assert further
    assert keys(served, html.unescape(further[1])) == ["site-3", "<b>"]
    assert keys(served, f"{where}?q=-2") == ["site-2"]
    assert keys(served, f"{where}?q=*3") == ["site-3"]
    assert keys(served, f"{where}?q=%25") == []
    rows = [
        json.loads(line)
        for line in served.client.get(f"{where}/items.jsonl").text.split("\n")[:-1]
    ]
    assert {row["key"]: row["value"] for row in rows} == given
    assert len(served.client.get(f"{where}/items.jsonl?q=site").text.splitlines()) == 4
    csv = "key,value\nsite-1,changed\nnew,1\n"
    assert sent(served, where, items=csv, form="csv") == f"{where}?done=put-2"
    remove_one(served, where, "<b>")
    assert sent(served, f"{where}/items/clear", q="site") == f"{where}?done=deleted-4"
    assert keys(served, where) == ["new"]
    assert "codes &amp; more" in served.client.get(OWN).text
    sent(served, f"{where}/remove")
    assert "codes &amp; more" not in served.client.get(OWN).text
    assert served.client.get(where).status_code == 404


def test_a_delete_takes_the_items_that_the_list_shows(shared: Served) -> None:
    where = sent(shared, OWN, name="chosen")
    given = {"a b": 1, " c": 2, "d\ne": 3, "f": 4, "g": 5}
    sent(shared, where, items=json.dumps(given), form="json")
    for asked, chosen in {"%20": [" ", "a b", " c"], "%0A": ["\r\n", "d\ne"]}.items():
        q, *shown = chosen
        assert keys(shared, f"{where}?q={asked}") == shown
        assert sent(shared, f"{where}/items/clear", q=q).endswith(f"deleted-{len(shown)}")
    for nothing in ({}, {"q": ""}, {"q": "f", "all": "yes"}):
        answer = shared.client.post(f"{where}/items/clear", data=nothing)
        assert answer.status_code == 422
        assert "Nothing deleted" in answer.text
    assert 'name="all"' not in shared.client.get(f"{where}?q=f").text
    assert 'name="all"' in shared.client.get(where).text
    assert sent(shared, f"{where}/items/clear", all="yes").endswith("deleted-2")


def test_the_button_of_an_item_deletes_that_one(shared: Served) -> None:
    where = sent(shared, OWN, name="alike")
    sent(shared, where, items=json.dumps({"a": 1, " a": 2, "a\nb": 3}), form="json")
    for key, left in ((" a", ["a", "a\nb"]), ("a\nb", ["a"])):
        remove_one(shared, where, key)
        assert keys(shared, where) == left
    answer = shared.client.post(f"{where}/items/remove", data={"item": "x"})
    assert (answer.status_code, keys(shared, where)) == (422, ["a"])


def test_an_upload_that_stops_says_what_is_stored(
    shared: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, put = sent(shared, OWN, name="stopped"), collections.put_items

    def full(tx: Any, items: list[tuple[str, str]], **more: Any) -> int:
        if items[0][0] == "c":
            message = "no room"
            raise collections.CollectionError(message)
        return put(tx, items=items, **more)

    monkeypatch.setattr(collections, "_PIECE", 2)
    monkeypatch.setattr(collections, "put_items", full)
    answer = shared.client.post(where, data={"items": '{"a": 1, "b": 2, "c": 3}'})
    assert answer.status_code == 422
    assert "Stored: 2. Then: no room" in answer.text
    assert keys(shared, where) == ["a", "b"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"items": '{"a": 1', "form": "json"}, "the end of the file"),
        ({"items": '{"a": [NaN]}', "form": "json"}, "character 7: NaN"),
        ({"items": '{"a": 1e999}', "form": "json"}, "character 7: the number 1e999"),
        ({"items": "[" * 5000, "form": "json"}, "nested too deeply"),
        ({"items": '{"a": "\\ud800"}', "form": "json"}, "half of a character"),
        ({"items": "name\nx\n", "form": "csv"}, "no column called key"),
        ({"items": f'{{"{"k" * 3000}": 1}}', "form": "json"}, "bytes"),
    ],
)
def test_what_is_no_item_is_told_and_stays_in_the_form(
    shared: Served, fields: dict[str, str], words: str
) -> None:
    where = f"{OWN}/bad"
    shared.client.post(OWN, data={"name": "bad"})
    answer = shared.client.post(where, data=fields)
    assert answer.status_code == 422
    assert words in html.unescape(answer.text)
    assert fields["items"].strip()[:9] in html.unescape(answer.text)
    for after in ("9" * 5000, "9" * 18, "-1", "\u0663", "x"):
        assert keys(shared, f"{where}?after={after}&done=put-{after}") == []


def test_a_page_reads_the_beginning_of_each_value_and_a_download_a_few(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = sent(served, OWN, name="long")
    sent(served, where, items=json.dumps({f"k{n}": "x" * 700_000 for n in range(3)}), form="json")
    read, shown = list[int](), list[int]()
    whole = collections.page

    def counted(*asked: Any) -> list[Row]:
        found = whole(*asked)
        read.append(len(found))
        return found

    def measured(*name: str, **facts: Any) -> Response:
        shown.extend(len(item.value) for item in facts["items"])
        return page(*name, **facts)

    monkeypatch.setattr(collections, "page", counted)
    monkeypatch.setattr(collectionpage, "page", measured)
    assert "700,002 characters" in served.client.get(where).text
    assert shown == [2000] * 3
    assert len(served.client.get(f"{where}/items.jsonl").text.splitlines()) == 3
    assert read == [1, 1, 1, 0]


def test_a_collection_that_cannot_be_is_refused(shared: Served) -> None:
    assert shared.client.post(OWN, data={"name": ""}).status_code == 422
    assert shared.client.get(f"{OWN}/nowhere").status_code == 404
    assert shared.client.post(f"{OWN}/nowhere/items/clear", data={}).status_code == 404
    assert shared.client.get("/projects/nowhere/collections").status_code == 404


def test_days_are_set_on_the_page_of_retention(served: Served) -> None:
    own = "/projects/demo/retention"
    told = {"documents": "7", "logs": "", "runs": "36500"}
    assert "?done" in sent(served, own, **told)
    days = served.client.get("/api/projects/demo/retention").json()["data"]
    assert (days["documents"], days["logs"], days["runs"]) == (7, None, 36500)
    for wrong in ("0", "x", "36501", "1.5", "٣"):
        answer = served.client.post(own, data=told | {"logs": wrong})
        assert answer.status_code == 422
        assert "Days must be a whole number" in answer.text
        assert f'value="{wrong}"' in answer.text
    assert served.client.get("/projects/nowhere/retention").status_code == 404


def test_settings_are_shown_without_their_secrets(shared: Served) -> None:
    text = html.unescape(shared.client.get("/settings").text)
    for variable, _, _ in VARIABLES.values():
        assert f">{variable}<" in text
    assert "postgres" not in shown("database_url", "postgresql://u:secret-of-mine@h/d")
    assert shown("database_url", None) == "not set"
    assert shown("proxies", ("10.0.0.0/8", "::1")) == "10.0.0.0/8, ::1"
    assert (shown("x", False), shown("x", 0), shown("x", "")) == ("no", "0", "not set")
