"""What hostile senders cost the platform: its memory, and how long an honest sender waits.

Slow bodies, bodies that are never finished, compressed ones and open event streams, many at once,
against a real `holdfast platform`. Memory is that of its process, as the kernel counts it.
"""

from __future__ import annotations

import gzip
import selectors
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import httpx  # noqa: E402

from benchmarks import yardstick  # noqa: E402
from benchmarks.bars import plain  # noqa: E402
from support.command import Command  # noqa: E402
from support.product import Product  # noqa: E402

SENDERS = 300
#: What each slow sender has sent at once, and says that it will send. Bytes.
SENT, ANNOUNCED = 256 * 1024, 8 * 1024 * 1024
SECONDS = 15.0
BOMB = gzip.compress(b"0" * 200_000_000)


def main() -> None:
    """Each attack, with the platform's memory before it and at its worst."""
    with tempfile.TemporaryDirectory(prefix="holdfast-doors-") as name:
        folder = Path(name)
        up = Command("platform", "--data", str(folder / "data"), "--port", "0")
        try:
            url = up.wait_for_line(r"(http://127\.0\.0\.1:\d+)")[1]
            product = Product(up, url, folder / "data", folder)
            webhook = product.deploy("doors", "fn(s => s);")
            for attack in (nobody, slow_bodies, bombs, streams):
                _measure(attack, product, webhook)
        finally:
            up.kill()


def _measure(
    attack: Callable[[ExitStack, Product, str], str], product: Product, webhook: str
) -> None:
    before, most, waits = _memory(product), 0, list[float]()
    with ExitStack() as stack:
        told = attack(stack, product, webhook)
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            started = time.perf_counter()
            answer = httpx.post(webhook, json={"n": 1}, timeout=60)
            waits.append(time.perf_counter() - started)
            assert answer.status_code == 200, answer.text
            most = max(most, _memory(product))
            time.sleep(0.05)
    plain(f"{told}: pace", yardstick.pace())
    plain(f"{told}: memory before", before, "MB")
    plain(f"{told}: memory at most", most, "MB")
    plain(f"{told}: an honest webhook, median", statistics.median(waits) * 1000, "ms")
    plain(f"{told}: an honest webhook, slowest", max(waits) * 1000, "ms")


def nobody(_stack: ExitStack, _product: Product, _webhook: str) -> str:
    """For comparison."""
    return "nobody else"


def slow_bodies(stack: ExitStack, _product: Product, webhook: str) -> str:
    """Each sends a part of a large body and then nothing."""
    head = f"content-length: {ANNOUNCED}\r\ncontent-type: application/json\r\n"
    for _ in range(SENDERS):
        sender = _opened(stack, "POST", webhook, head)
        sender.sendall(b'"' + b"x" * SENT)
    return f"{SENDERS} bodies that stop after {SENT // 1024} KB"


def bombs(stack: ExitStack, _product: Product, webhook: str) -> str:
    """Compressed bodies; all are refused."""
    head = f"content-length: {len(BOMB)}\r\ncontent-encoding: gzip\r\n"
    refused = 0
    for _ in range(SENDERS):
        sender = _opened(stack, "POST", webhook, head)
        sender.sendall(BOMB[: 64 * 1024])
        refused += _first(sender).startswith(b"HTTP/1.1 415")
    assert refused == SENDERS, refused
    return f"{SENDERS} compressed bodies of 200 MB"


def streams(stack: ExitStack, product: Product, _webhook: str) -> str:
    """Event streams of a run's page that nobody reads."""
    token = (product.data / "admin-token").read_text().strip()
    run = product.get("/api/runs?page_size=1")["data"][0]["id"]
    head = f"authorization: Bearer {token}\r\naccept: text/event-stream\r\n"
    for _ in range(SENDERS):
        _opened(stack, "GET", f"{product.url}/runs/{run}/events", head)
    return f"{SENDERS} event streams"


def _opened(stack: ExitStack, method: str, url: str, head: str) -> socket.socket:
    parts = urlsplit(url)
    assert parts.hostname is not None
    sender = stack.enter_context(socket.create_connection((parts.hostname, parts.port or 80), 30))
    line = f"{method} {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\n{head}\r\n"
    sender.sendall(line.encode())
    return sender


def _first(sender: socket.socket) -> bytes:
    with selectors.DefaultSelector() as waiting:
        waiting.register(sender, selectors.EVENT_READ)
        return sender.recv(64) if waiting.select(30) else b""


def _memory(product: Product) -> int:
    """Megabytes of the platform's process."""
    status = Path(f"/proc/{product.up.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024
