"""Large documents are worked on beside the event loop, small ones at once."""

from __future__ import annotations

import threading

import pytest

from holdfast.platform.apart import apart


@pytest.mark.anyio
async def test_only_a_large_document_goes_to_another_thread() -> None:
    here = threading.get_ident()
    assert await apart(lambda _: threading.get_ident(), b"small") == here
    assert await apart(lambda _: threading.get_ident(), bytes(65_536)) != here


@pytest.mark.anyio
async def test_a_fault_comes_back() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await apart(int, b"x" * 65_536)
