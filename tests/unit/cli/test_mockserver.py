"""The servers that answer for test cases."""

from __future__ import annotations

import httpx

from holdfast.cli.mockserver import serving


def test_one_server_answers_for_case_after_case() -> None:
    with serving(2) as (one, other):
        first = one.play([{"url": "/n", "answer": 1}])
        beside = other.play([{"url": "/n", "answer": "beside"}])
        assert first.address != beside.address
        assert httpx.get(f"{first.address}/n").json() == 1
        assert httpx.get(f"{beside.address}/n").text == "beside"
        assert httpx.get(f"{first.address}/other").status_code == 501
        second = one.play([{"url": "/n", "answer": 2}, {"url": "/never", "answer": 3}])
        assert second.address == first.address, "runs that may reach the same are of one kind"
        assert httpx.get(f"{second.address}/n").json() == 2
        assert (first.unknown, first.came) == (["GET /other"], ["GET /n", "GET /other"])
        assert (second.unknown, second.missing()) == ([], ["GET /never"])


def test_before_the_first_case_nothing_is_known() -> None:
    with serving(1) as (one,):
        assert httpx.get(f"http://127.0.0.1:{one.port}/n").status_code == 501
