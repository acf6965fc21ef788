"""Traces of runs reach an OpenTelemetry collector, and hold no data of them."""

from __future__ import annotations

import asyncio
import gzip
import importlib.util
from pathlib import Path

import pytest

from holdfast import log
from holdfast.testing.platform import TwinPlatform, one_job_plan
from holdfast.worker import telemetry
from support.streams import served
from support.worker import Worker


async def test_a_span_for_a_run_and_for_each_of_its_phases(tmp_path: Path) -> None:
    received: list[bytes] = []
    arrived = asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"post /v1/traces ")
        length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        received.append(gzip.decompress(body) if b"content-encoding: gzip" in head else body)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        arrived.set()

    secret = "export default [() => ({ data: 'shown-to-nobody' })];"
    async with served(take) as port, TwinPlatform() as platform:
        told = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_BSP_SCHEDULE_DELAY": 50,
        }
        async with Worker(platform, tmp_path, **told):
            run = platform.enqueue(one_job_plan(secret), input={})
            await platform.until(lambda: run.final)
            async with asyncio.timeout(30):
                await arrived.wait()
    whole = b"".join(received)
    for text in (run.id, "preparing", "running", "delivering", "COMPLETE", "holdfast-worker"):
        assert text.encode() in whole, text
    assert b"shown-to-nobody" not in whole
    assert platform.secret.encode() not in whole


def test_without_the_extra_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log.set_up("info")  # a command that ran in this process may have asked for less
    monkeypatch.setattr(telemetry, "find_spec", lambda _: None)
    for environment in ({}, {telemetry.ADDRESSES[1]: "x", "OTEL_SDK_DISABLED": "true"}):
        telemetry.set_up(environment)
    assert capsys.readouterr().err == ""
    telemetry.set_up({telemetry.ADDRESSES[1]: "http://collector"})
    assert "holdfast[otel] is not installed" in capsys.readouterr().err
    assert importlib.util.find_spec("opentelemetry") is not None, "the tests have it"
