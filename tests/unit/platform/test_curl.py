"""The lines that the page offers are read by a real shell; what they send opens the webhook."""

from __future__ import annotations

import base64
import subprocess
import time

import pytest

from holdfast.platform.access.webhook_keys import Method, Proof, prove
from holdfast.platform.web.curl import Key, curl_lines
from support.system import program

ADDRESS = "https://hf.example.org/i/00000000-0000-0000-0000-000000000001"


def sent(line: str) -> tuple[str, dict[str, str], bytes]:
    """Address, headers and body of what the line sends."""
    shell = f"curl() {{ printf '%s\\0' \"$@\"; }}\n{line}"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, check=True)
    words = iter(done.stdout.decode().split("\0")[:-1])
    address, headers, body = "", dict[str, str](), b""
    for word in words:
        match word:
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "-u":
                pair = base64.b64encode(next(words).encode()).decode()
                headers["authorization"] = f"Basic {pair}"
            case "-d":
                body = next(words).encode()
            case "-X":
                assert next(words) == "POST"
            case _:
                address = word
    return address, headers, body


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize(
    ("kind", "secret", "window"),
    [
        ("api_key", "SECRET-OF-the key", None),
        ("basic", "USER:PASSWORD-OF-the key", None),
        ("hmac", "SECRET-OF-the key", None),
        ("hmac", "SECRET-OF-the key", 60),
    ],
)
def test_each_line_shows_its_key(method: str, kind: str, secret: str, window: int | None) -> None:
    program("openssl")
    (line,) = curl_lines(ADDRESS, [method], [Key("the key", kind, window is not None)])
    address, headers, body = sent(line)
    signed = body if method == "POST" else address.partition("?")[2].encode()
    assert signed == (b'{"n": 1}' if method == "POST" else b"n=1")
    assert address.partition("?")[0] == ADDRESS
    ways = [Method(kind, (secret,), window)]
    assert prove(ways, headers, signed, time.time()) is Proof.GOOD
    assert prove(ways, headers, signed + b" ", time.time()) is (
        Proof.WRONG if kind == "hmac" else Proof.GOOD
    )


def test_there_is_a_line_for_each_open_way() -> None:
    keys = [Key("a", "api_key"), Key("b", "basic")]
    lines = list(curl_lines(ADDRESS, ["POST", "GET"], keys))
    assert [("POST" in line, "OF-a" in line) for line in lines] == [
        (True, True), (True, False), (False, True), (False, False)]  # fmt: skip
    (plain,) = curl_lines(ADDRESS, ["GET"], [])
    assert plain == f"curl '{ADDRESS}?n=1'"
