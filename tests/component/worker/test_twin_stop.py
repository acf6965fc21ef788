"""The tests' platform leaves no connection open, whenever it stops."""

from __future__ import annotations

import asyncio
import gc
import socket
import warnings

import pytest

from holdfast.testing.platform import TwinPlatform


@pytest.mark.parametrize("steps", range(4))
async def test_a_connection_that_comes_as_it_stops_is_closed(steps: int) -> None:
    platform = TwinPlatform()
    await platform.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # one that is left open is an error of the collector
        with socket.create_connection(("127.0.0.1", platform.port)):
            for _ in range(steps):
                await asyncio.sleep(0)
        await platform.stop()
        gc.collect()
