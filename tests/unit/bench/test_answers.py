"""A recording answers what it has, and tells what is asked otherwise."""

from __future__ import annotations

import gzip

from holdfast.bench.answers import Answers
from holdfast.model.json import JsonObject


def exchange(method: str, url: str, asked: str = "", answer: str = "{}") -> JsonObject:
    return {
        "method": method, "url": url, "asked": {"text": asked}, "status": 200, "headers": {},
        "answer": {"text": answer},
    }  # fmt: skip


def test_the_same_requests_get_their_answers_in_order() -> None:
    known = [exchange("GET", "https://a.org/p?n=1", answer=text) for text in ("one", "two")]
    answers = Answers(known)
    replies = [answers.reply("GET", "a.org", "/p?n=1", "") for _ in range(2)]
    assert [reply.body for reply in replies if reply] == [b"one", b"two"]
    assert (answers.otherwise, answers.left()) == ([], [])


def test_another_body_is_answered_and_told() -> None:
    answers = Answers([exchange("POST", "https://a.org/p", '{"a":1}', "saved")])
    reply = answers.reply("POST", "a.org", "/p", '{"a":2}')
    assert reply is not None
    assert reply.body == b"saved"
    assert answers.otherwise == ['POST a.org/p is sent with {"a":2}; it was {"a":1}']


def test_the_exchange_with_the_same_body_is_taken_before_others() -> None:
    known = [exchange("POST", "https://a.org/p", body, body) for body in ("x", "y")]
    answers = Answers(known)
    replies = [answers.reply("POST", "a.org", "/p", body) for body in ("y", "x")]
    assert [reply.body for reply in replies if reply] == [b"y", b"x"]
    assert answers.otherwise == []


def test_what_was_never_recorded_is_refused_and_told() -> None:
    answers = Answers([exchange("GET", "https://a.org/p")])
    reply = answers.reply("GET", "a.org", "/other", "")
    assert reply is not None
    assert reply.status == 501
    assert answers.otherwise == ["GET a.org/other was not asked before"]
    assert answers.left() == ["GET a.org/p was asked, and is not any more"]


def test_a_request_beyond_the_recorded_ones_is_told() -> None:
    answers = Answers([exchange("GET", "https://a.org/p", answer="one")])
    replies = [answers.reply("GET", "a.org", "/p", "") for _ in range(2)]
    assert [reply.body for reply in replies if reply] == [b"one", b"one"]
    assert answers.otherwise == ["GET a.org/p is asked once more than it was"]


def test_a_request_that_failed_fails_again() -> None:
    failed: JsonObject = {"method": "GET", "host": "a.org", "path": "/p", "error": "ECONNRESET"}
    assert Answers([failed]).reply("GET", "a.org", "/p", "") is None


def test_secrets_are_compared_as_they_were_masked() -> None:
    answers = Answers([exchange("GET", "https://a.org/p?token=***", answer="one")])
    reply = answers.reply("GET", "a.org", "/p?token=other", "")
    assert reply is not None
    assert (reply.body, answers.otherwise) == (b"one", [])


def test_binary_answers_come_back_byte_for_byte() -> None:
    found = exchange("GET", "https://a.org/p")
    found["answer"] = {"base64": "AP8="}
    reply = Answers([found]).reply("GET", "a.org", "/p", "")
    assert reply is not None
    assert reply.body == b"\x00\xff"


def test_a_json_answer_is_as_long_as_it_was_before_its_secrets_were_masked() -> None:
    found = exchange("GET", "https://a.org/p", answer='{"token":"***"}')
    found["headers"] = {"content-type": "application/json", "content-length": "30"}
    reply = Answers([found]).reply("GET", "a.org", "/p", "")
    assert reply is not None
    assert (len(reply.body), reply.body.strip()) == (30, b'{"token":"***"}')


def test_an_answer_is_packed_again_as_it_came() -> None:
    found = exchange("GET", "https://a.org/p")
    found |= {"headers": {"content-encoding": "gzip"}, "answer": {"text": "hi", "opened": True}}
    reply = Answers([found]).reply("GET", "a.org", "/p", "")
    assert reply is not None
    assert gzip.decompress(reply.body) == b"hi"
    found["headers"] = {"content-encoding": "br"}
    reply = Answers([found]).reply("GET", "a.org", "/p", "")
    assert reply is not None
    assert (reply.body, reply.headers) == (b"hi", {})


def test_headers_of_a_file_stay_headers() -> None:
    found = exchange("GET", "https://a.org/p")
    found["headers"] = {"x-name": "ä\r\nset-cookie: a=1", "no name": "x", "x-many": ["1", "2"]}
    reply = Answers([found]).reply("GET", "a.org", "/p", "")
    assert reply is not None
    expected = "ä set-cookie: a=1".encode().decode("latin-1")
    assert reply.headers == {"x-name": expected, "x-many": ["1", "2"]}
