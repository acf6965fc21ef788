"""What holds for all layers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from support.adaptors import install_beside, installed


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The loop of the product is the loop of its tests."""
    return "asyncio"


# A test must not fail because the machine is busy. `print_blob`: a failure says how to repeat it.
settings.register_profile("holdfast", deadline=None, print_blob=True)
settings.load_profile("holdfast")


def pytest_configure() -> None:
    """Let Ctrl-C end what a test starts, also when a shell runs the tests in its background.

    Such a shell has this signal ignored, and so would every command that a test starts.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put modules that need the real adaptors last: they are installed meanwhile."""
    needing = {item.path for item in items if _needs_adaptors(item)}
    items.sort(key=lambda item: item.path in needing)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin to install the real adaptors, beside the tests that need none."""
    if session.config.option.collectonly or os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0":
        return
    if any(map(_needs_adaptors, session.items)):
        session.config.add_cleanup(install_beside())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Have the adaptors before the first test that needs them, not on that test's clock."""
    if _needs_adaptors(item):
        installed()
    return (yield)


def _needs_adaptors(item: pytest.Item) -> bool:
    return "adaptor_store" in getattr(item, "fixturenames", ())
