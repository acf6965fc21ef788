"""Where a webhook of an alert really goes: names, certificates, proxies."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.platform import receivers
from holdfast.platform.receivers import NotTold
from support.tls import Authority
from support.web import Answer, Asked, Web, serve_web


class Names:
    """Name servers of the test; each answer is used once, the last one for ever."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.known: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self._real = socket.getaddrinfo
        patch.setattr(socket, "getaddrinfo", self.look_up)

    def look_up(self, host: Any, *args: Any, **rest: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name not in self.known:
            return self._real(host, *args, **rest)
        self.asked.append(name)
        answers = self.known[name]
        return self._real(answers.pop(0) if len(answers) > 1 else answers[0], *args, **rest)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


def _took(asked: Asked) -> Answer:
    return Answer({}) if asked.method == "POST" else Answer({}, 405)


@pytest.fixture
def web() -> Iterator[Web]:
    with serve_web(_took) as web:
        yield web


def port_of(web: Web) -> str:
    return web.address.rpartition(":")[2]


@pytest.mark.parametrize("named", ["bücher.example", "xn--BCHER-kva.example", "BÜCHER.example."])
@pytest.mark.parametrize("listed", ["bücher.example", "BÜCHER.EXAMPLE", "xn--bcher-kva.example."])
async def test_an_international_name_is_one_name_however_it_is_written(
    names: Names, web: Web, named: str, listed: str
) -> None:
    for name in ("xn--bcher-kva.example", "xn--bcher-kva.example."):
        names.known[name] = ["127.0.0.1"]
    url = f"http://{named}:{port_of(web)}/"
    await receivers.post(url, "key", {}, egress=f"public,{listed}", seconds=5)
    (asked,) = web.asked
    assert asked.headers["host"].rstrip(".").startswith("xn--bcher-kva.example")
    with pytest.raises(NotTold, match="is not allowed"):
        await receivers.post(url, "key", {}, egress="public,bucher.example", seconds=5)


async def test_a_name_that_changes_after_the_check_leads_nowhere_else(
    names: Names, web: Web
) -> None:
    """It is asked once, and the connection goes to the address that was checked."""
    names.known["moving.example"] = ["127.0.0.1", "127.0.0.9"]
    url = f"http://moving.example:{port_of(web)}/"
    await receivers.post(url, "key", {"a": 1}, egress="public,127.0.0.1", seconds=5)
    assert names.asked == ["moving.example"]
    assert [asked.json for asked in web.asked] == [{"a": 1}]
    with pytest.raises(NotTold, match="is not allowed"):
        await receivers.post(url, "key", {}, egress="public,127.0.0.1", seconds=5)
    assert len(web.asked) == 1


async def test_no_proxy_of_the_environment_is_used(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_web(_took) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.address)
            monkeypatch.setenv(name.upper(), proxy.address)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        url = f"http://127.0.0.1:{port_of(web)}/"
        await receivers.post(url, "key", {}, egress="public,127.0.0.1", seconds=5)
    assert (len(web.asked), proxy.asked) == (1, [])


async def test_a_certificate_is_checked_for_the_name(
    names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names.known |= {"localhost": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server)
    try:
        with serve_web(_took, tls=context) as web:
            own = f"https://localhost:{port_of(web)}/"
            receivers._context.cache_clear()
            with pytest.raises(NotTold, match="ConnectError"):  # an authority that nobody trusts
                await receivers.post(own, "key", {}, egress="public,127.0.0.1", seconds=5)
            monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
            receivers._context.cache_clear()
            await receivers.post(own, "key", {}, egress="public,127.0.0.1", seconds=5)
            assert web.asked[0].headers["host"] == f"localhost:{port_of(web)}"
            for name in ("other.example", "127.0.0.1"):
                url = f"https://{name}:{port_of(web)}/"
                with pytest.raises(NotTold, match="ConnectError"):
                    await receivers.post(url, "key", {}, egress="public,127.0.0.1", seconds=5)
            assert len(web.asked) == 1
    finally:
        receivers._context.cache_clear()
