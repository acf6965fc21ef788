"""Mail of alerts: a name and a password are sent over TLS only."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.model.json import JsonObject
from holdfast.platform.mail import send
from holdfast.platform.receivers import NotTold
from holdfast.platform.settings import Settings
from support.tls import Authority
from support.waiting import finish


class MailServer:
    """Notes what it is told, `tls` before what came encrypted."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self.told, self.mail = list[str](), list[str]()
        mine = self

        class Talk(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self._say("220 here")
                secret = "tls " if isinstance(self.request, ssl.SSLSocket) else ""
                while line := self.rfile.readline().decode().strip():
                    verb = line.split()[0].upper()
                    mine.told.append(secret + verb)
                    if verb == "EHLO":
                        offers = "STARTTLS" if tls and not secret else "AUTH PLAIN"
                        self._say(f"250-here\r\n250 {offers}")
                    elif verb == "STARTTLS" and tls:
                        self._say("220 go on")
                        try:
                            self.request = tls.wrap_socket(self.request, server_side=True)
                        except OSError:
                            return
                        self.rfile = self.request.makefile("rb")
                        secret = "tls "
                    elif verb == "AUTH":
                        self._say("235 welcome")
                    elif verb == "DATA":
                        self._say("354 write")
                        while (part := self.rfile.readline()) != b".\r\n":
                            mine.mail.append(part.decode().strip())
                        self._say("250 taken")
                    else:
                        self._say("421 too late" if verb == "QUIT" else "250 fine")

            def finish(self) -> None:
                self.rfile.close()
                self.request.close()

            def _say(self, text: str) -> None:
                self.request.sendall(f"{text}\r\n".encode())

        self.server = socketserver.TCPServer(("127.0.0.1", 0), Talk)
        self.port = int(self.server.server_address[1])


@contextmanager
def serving(tls: ssl.SSLContext | None, *, at_once: bool = False) -> Iterator[MailServer]:
    """`at_once`: encrypted from the first byte."""
    one = MailServer(tls)
    if at_once and tls:
        one.server.socket = tls.wrap_socket(one.server.socket, server_side=True)
    thread = threading.Thread(target=one.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield one
    finally:
        one.server.shutdown()
        thread.join()
        one.server.server_close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def tls(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server)
    return context


def mail(
    data: Path, port: int, *, scheme: str = "smtp", name: str = "me:secret@", seconds: float = 10
) -> None:
    settings = Settings(data=data, smtp_url=f"{scheme}://{name}localhost:{port}")
    told: JsonObject = {"text": "a run failed"}
    finish(send(settings, "somebody@example.org", "key", told, seconds=seconds))


def test_a_password_is_sent_after_starttls_only(
    tmp_path: Path, authority: Authority, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    with serving(tls) as server:
        mail(tmp_path, server.port)
    verbs = ["tls AUTH", "tls MAIL", "tls RCPT", "tls DATA", "tls QUIT"]
    assert server.told == ["EHLO", "STARTTLS", "tls EHLO", *verbs]
    assert "Message-ID: <key@holdfast>" in server.mail


def test_a_server_without_tls_gets_no_password(tmp_path: Path) -> None:
    with serving(None) as server:
        with pytest.raises(NotTold, match="has no TLS"):
            mail(tmp_path, server.port)
        assert "AUTH" not in server.told
        mail(tmp_path, server.port, name="")
    assert server.told[-2:] == ["DATA", "QUIT"]


def test_a_certificate_of_a_stranger_is_refused(tmp_path: Path, tls: ssl.SSLContext) -> None:
    with serving(tls) as server, pytest.raises(NotTold, match="SSLCertVerificationError"):
        mail(tmp_path, server.port)
    assert server.told == ["EHLO", "STARTTLS"]


def test_a_certificate_is_checked_from_the_first_byte(
    tmp_path: Path, authority: Authority, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tls, at_once=True) as server:
        with pytest.raises(NotTold, match="SSLCertVerificationError"):
            mail(tmp_path, server.port, scheme="smtps")
        assert server.told == []
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
        mail(tmp_path, server.port, scheme="smtps")
    assert server.told[:2] == ["tls EHLO", "tls AUTH"]


def test_a_server_that_says_nothing_is_left_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(NotTold, match=r"within 0\.1 s"):
            mail(tmp_path, port, seconds=0.1)
