"""How the platform is reached: private authorities count, proxies only if one asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from holdfast.testing.platform import TwinPlatform, one_job_plan
from holdfast.worker.dial import Dial
from support.tls import Authority
from support.worker import Worker

#: Nothing listens there.
DEAD_PROXY = "http://127.0.0.1:9"


def job(port: int) -> str:
    return (
        f"export default [async () => ({{ data: await fetch('https://localhost:{port}/')"
        ".then((answer) => 'answered ' + answer.status, (error) => error.cause.code) })];"
    )


async def test_a_private_authority_counts_for_the_platform_and_for_jobs(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with TwinPlatform() as platform:
        inner = urlsplit(platform.url).port
        assert inner is not None
        async with authority.door(inner) as port:
            options = {
                "WORKER_LIGHTNING_SERVICE_URL": f"wss://localhost:{port}/worker",
                "NODE_EXTRA_CA_CERTS": authority.ca,
                "HTTPS_PROXY": DEAD_PROXY,
            }
            async with Worker(platform, tmp_path / "data", **options) as worker:
                run = platform.enqueue(one_job_plan(job(port)), input={})
                await platform.until(lambda: run.final)
                assert run.outcome is not None
                state: Any = run.outcome["final_state"]
                assert "answered" in state["data"], run.outcome
                assert await worker.end() == 0


async def test_an_authority_that_is_not_trusted_and_a_proxy_that_is_dead_are_named(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    async with TwinPlatform() as platform:
        inner = urlsplit(platform.url).port
        assert inner is not None
        async with authority.door(inner) as port:
            address = {"WORKER_LIGHTNING_SERVICE_URL": f"wss://localhost:{port}/worker"}
            missing = {"NODE_EXTRA_CA_CERTS": tmp_path / "gone.pem"}
            async with Worker(platform, tmp_path / "a", **address, **missing) as worker:
                await worker.until(lambda: "CERTIFICATE_VERIFY_FAILED" in worker.text())
                assert "ca_certs.unreadable" in worker.text()
            proxy = {"WORKER_USE_PROXY": "true", "HTTPS_PROXY": DEAD_PROXY}
            async with Worker(platform, tmp_path / "b", **address, **proxy) as worker:
                await worker.until(lambda: "connection.failed" in worker.text())
                assert "Connect" in worker.text().split("connection.failed")[1]


def test_without_tls_there_is_no_context() -> None:
    plain = {"proxy": None, "compression": None, "extensions": None}
    assert Dial().options("ws://localhost/worker") == plain
    assert Dial(use_proxy=True).options("ws://localhost/worker") == {**plain, "proxy": True}


@pytest.mark.parametrize(
    ("host", "compressed"),
    [("127.0.0.2", False), ("[::1]:4000", False), ("10.0.0.1", True), ("[fe80::1", True),
     ("lightning.example:4000", True)],
)  # fmt: skip
def test_nothing_is_compressed_on_the_machine_itself(host: str, compressed: bool) -> None:
    assert bool(Dial().options(f"ws://{host}/worker")["extensions"]) is compressed
