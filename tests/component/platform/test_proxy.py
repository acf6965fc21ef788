"""`deploy/proxy.conf` in a real nginx, in front of two platforms of which one breaks off."""

from __future__ import annotations

import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from support.system import program
from support.waiting import eventually

CONF = Path(__file__).parents[3] / "deploy/proxy.conf"
_AROUND = """
daemon off; master_process off; pid {folder}/pid; error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  {conf}
}}
"""


class Platforms:
    """Two that note requests. The first that gets one ends without an answer."""

    def __init__(self) -> None:
        self.got = list[str]()
        mine, lock = self, threading.Lock()

        class Talk(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                line = self.rfile.readline().decode().strip()
                length = 0
                while header := self.rfile.readline().decode().strip():
                    if header.lower().startswith("content-length:"):
                        length = int(header.split(":")[1])
                self.rfile.read(length)
                with lock:
                    mine.got.append(line.rpartition(" ")[0])
                    first = len(mine.got) == 1
                if not first:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        self.servers = [socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk) for _ in range(2)]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        threads = [
            threading.Thread(target=one.serve_forever, args=(0.01,)) for one in self.servers
        ]
        for thread in threads:
            thread.start()
        yield
        for one, thread in zip(self.servers, threads, strict=True):
            one.shutdown()
            thread.join()
            one.server_close()


@contextmanager
def nginx(platforms: Platforms, folder: Path) -> Iterator[httpx.Client]:
    """A client of the proxy in front of them."""
    conf = CONF.read_text().replace("max_fails=2", "max_fails=0")  # no test leaves a mark
    for number, one in enumerate(platforms.servers, 1):
        conf = conf.replace(f"platform{number}:4000", f"127.0.0.1:{one.server_address[1]}")
    address = folder / "socket"
    conf = conf.replace("listen 8080", f"listen unix:{address}")
    (folder / "nginx.conf").write_text(_AROUND.format(folder=folder, conf=conf))
    command = [program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with (folder / "log").open("w") as out, subprocess.Popen(command, stderr=out) as started:
        try:
            eventually(address.exists, (folder / "log").read_text)
            transport = httpx.HTTPTransport(uds=str(address))
            with httpx.Client(transport=transport, base_url="http://holdfast") as client:
                yield client
        finally:
            started.terminate()


@pytest.fixture(scope="module")
def platforms() -> Iterator[Platforms]:
    both = Platforms()
    with both.at_work():
        yield both


@pytest.fixture(scope="module")
def proxy(
    platforms: Platforms, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    with nginx(platforms, tmp_path_factory.mktemp("nginx")) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "sent"),
    [
        ("GET", "/api/runs", 2),
        ("GET", "/i/abc", 1),
        ("GET", "/%69/abc?x=1", 1),
        ("POST", "/i/abc", 1),
        ("POST", "/api/provision", 1),
        ("PATCH", "/api/workflows/1", 1),
        ("PUT", "/api/workflows/1", 1),
        ("DELETE", "/api/credentials/1", 1),
    ],
)
def test_what_changes_something_is_sent_once(
    proxy: httpx.Client, platforms: Platforms, method: str, path: str, sent: int
) -> None:
    platforms.got.clear()
    answer = proxy.request(method, path, content=b"{}" if method != "GET" else None)
    assert answer.status_code == (200 if sent == 2 else 502)
    assert platforms.got == [f"{method} {path}"] * sent


def test_what_no_platform_had_is_sent_to_the_other(tmp_path: Path) -> None:
    both = Platforms()
    both.got[:] = ["one before"]
    with both.at_work(), nginx(both, tmp_path) as client:
        both.servers[0].shutdown()
        both.servers[0].server_close()
        for _ in range(3):
            assert client.post("/i/abc").status_code == 200
        # what is never sent twice may have come to the one that is gone
        assert {client.put("/api/workflows/1").status_code for _ in range(4)} == {200, 502}
