"""Which collections adaptor jobs get when the worker is told none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from holdfast.adaptors import Store
from holdfast.model.adaptor_name import COLLECTIONS
from holdfast.worker.agent.collections import look_up
from holdfast.worker.config import WorkerConfig
from support.registry import serve

LATEST = f"{COLLECTIONS}@latest"


def config(**variables: str) -> WorkerConfig:
    url = {"WORKER_SECRET": "s", "WORKER_COLLECTIONS_URL": "http://platform/collections"}
    return WorkerConfig.from_environment({**url, **variables})


async def test_latest_is_looked_up_anew_at_each_start_and_kept_without_a_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve() as registry:
        store = Store(tmp_path, environment=registry.environment(str(tmp_path)), retry_seconds=())
        for version in ("0.8.0", "0.9.0"):
            registry.publish(COLLECTIONS, version)
            await look_up(config(), store)
            assert store.resolutions.get(LATEST) == version
        registry.asked.clear()
        await look_up(config(WORKER_COLLECTIONS_VERSION="0.8.0"), store)
        await look_up(config(WORKER_COLLECTIONS_URL=""), store)
        assert registry.asked == [], "nothing to look up"
    shutil.rmtree(tmp_path / ".npm")  # which remembers answers
    await look_up(config(), store)
    assert store.resolutions.get(LATEST) == "0.9.0"
    assert "collections.not_looked_up version=0.9.0" in capsys.readouterr().err
