"""The servers that answer for test cases."""

from __future__ import annotations

import socket

import httpx
import pytest

from holdfast.cli.mockserver import places


def test_one_place_answers_for_case_after_case() -> None:
    with places(2) as (one, other), other.play([{"url": "/n", "answer": "beside"}]) as beside:
        with one.play([{"url": "/n", "answer": 1}]) as first:
            assert first.address != beside.address
            assert httpx.get(f"{first.address}/n").json() == 1
            assert httpx.get(f"{beside.address}/n").text == "beside"
            assert httpx.get(f"{first.address}/other").status_code == 501
        with one.play([{"url": "/n", "answer": 2}, {"url": "/never", "answer": 3}]) as second:
            assert second.address == first.address
            assert httpx.get(f"{second.address}/n").json() == 2
        assert (first.unknown, first.came) == (["GET /other"], ["GET /n", "GET /other"])
        assert (second.unknown, second.missing()) == ([], ["GET /never"])


def test_what_comes_late_from_one_case_reaches_no_other() -> None:
    with places(1) as (one,):
        late = socket.create_connection(("127.0.0.1", one.port))  # nobody accepts it yet
        late.sendall(b"GET /late HTTP/1.1\r\nhost: a.org\r\n\r\n")
        with one.play([]):
            held = socket.create_connection(("127.0.0.1", one.port))
            assert httpx.get(f"http://127.0.0.1:{one.port}/n").status_code == 501
        after = socket.create_connection(("127.0.0.1", one.port))
        with one.play([]) as second:
            held.sendall(b"GET /held HTTP/1.1\r\nhost: a.org\r\n\r\n")
            assert httpx.get(f"{second.address}/n").status_code == 501
        for peer in (late, held, after):
            peer.close()
    assert "GET a.org/held" not in second.unknown


def test_an_error_ends_the_answering() -> None:
    with places(1) as (one,):
        with pytest.raises(LookupError), one.play([]):
            raise LookupError
        with one.play([{"url": "/n", "answer": 2}]) as second:
            assert httpx.get(f"{second.address}/n").json() == 2
