"""The server that stands for all other systems."""

from __future__ import annotations

import http.client

import pytest

from holdfast.bench.server import Reply, serving


def test_it_passes_on_what_was_asked_and_gives_the_reply() -> None:
    asked: list[tuple[str, str, str, str]] = []

    def answer(*request: str) -> Reply:
        asked.append(request)  # type: ignore[arg-type]  # four texts
        return Reply(201, b"yes", {"X-One": "1"})

    with serving(answer) as port:
        for body in (b"a=1", iter([b"a=", b"1"])):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            headers = {"Host": "a.org"}
            connection.request("POST", "/p?n=1", body, headers, encode_chunked=True)
            found = connection.getresponse()
            assert (found.status, found.getheader("X-One"), found.read()) == (201, "1", b"yes")
            connection.close()
    assert asked == [("POST", "a.org", "/p?n=1", "a=1")] * 2


@pytest.mark.parametrize(
    ("method", "status", "headers", "sent", "body"),
    [
        ("GET", 200, {}, [("content-length", "2")], b"hi"),
        ("GET", 200, {"content-length": "9"}, [("content-length", "2")], b"hi"),
        ("HEAD", 200, {"content-length": "9"}, [("content-length", "9")], b""),
        ("GET", 204, {}, [], b""),
        (
            "GET",
            200,
            {"transfer-encoding": "chunked", "set-cookie": ["a", "b"]},
            [("set-cookie", "a"), ("set-cookie", "b"), ("transfer-encoding", "chunked")],
            b"2\r\nhi\r\n0\r\n\r\n",
        ),
    ],
)
def test_a_body_comes_as_the_headers_say(
    method: str,
    status: int,
    headers: dict[str, str | list[str]],
    sent: list[tuple[str, str]],
    body: bytes,
) -> None:
    assert Reply(status, b"hi", headers).sent(method) == (sent, body)


def test_a_reply_that_is_none_breaks_the_connection() -> None:
    with serving(lambda *_: None) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/")
        with pytest.raises(http.client.RemoteDisconnected):
            connection.getresponse()
        connection.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "much"},
        {"Content-Length": "-1"},
        {"Content-Length": str(10**12)},
        {"Transfer-Encoding": "chunked"},  # behind which no length comes
    ],
    ids=["a word", "below nothing", "a terabyte", "no chunk"],
)
def test_a_request_of_no_fit_length_breaks_the_connection(headers: dict[str, str]) -> None:
    with serving(lambda *_: Reply(200, b"")) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.putrequest("POST", "/")
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(b"zz\r\n")
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            connection.getresponse()
        connection.close()
