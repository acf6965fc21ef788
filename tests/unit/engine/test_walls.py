from __future__ import annotations

import resource
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from holdfast.engine.config import EngineError
from holdfast.engine.request import RunRequest
from holdfast.engine.shim.walls import Walls, heap_limit, readable_roots
from holdfast.model.limits import Limits
from holdfast.sandbox.groups import Sampling


@pytest.mark.parametrize("megabytes", [64, 100, 500, 1000, 8000])
def test_the_heap_leaves_room_below_the_limit(megabytes: int) -> None:
    assert 16 <= heap_limit(Limits(memory_mb=megabytes)) <= megabytes - 40


@pytest.mark.parametrize("megabytes", [32, 500, 8000])
def test_with_an_overhead_the_whole_limit_is_heap(megabytes: int) -> None:
    limits = Limits(memory_mb=megabytes, overhead_mb=128)
    assert heap_limit(limits) == megabytes
    assert limits.memory_bytes == (megabytes + 128) * 1024 * 1024


def test_an_installed_adaptor_shows_its_tree_only() -> None:
    path = "/store/common@1.0.0-abc/node_modules/@openfn/language-common"
    assert readable_roots({"adaptors": {"x": {"path": path}}}) == (
        Path("/store/common@1.0.0-abc"),
    )


def test_a_monorepo_package_shows_what_node_looks_through(tmp_path: Path) -> None:
    package = tmp_path / "packages" / "http"
    package.mkdir(parents=True)
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "secrets").mkdir()
    roots = readable_roots({"adaptors": {"x": {"path": str(package)}}})
    assert roots == (package, tmp_path / "node_modules")


def test_no_program_of_the_machine_gets_the_memory_of_a_crashed_run() -> None:
    """The kernel would start one, and give it all, at a limit of 0 too."""
    walls = cast("Any", SimpleNamespace(limits=Limits(), layers=frozenset()))
    assert Walls._rlimits(walls, Sampling())[resource.RLIMIT_CORE] == 1


@pytest.mark.parametrize("options", [{}, {"adaptors": None}, {"adaptors": {"x": 1}}])
def test_no_adaptors(options: dict[str, object]) -> None:
    assert readable_roots(options) == ()  # type: ignore[arg-type]


def test_a_request_survives_its_frame() -> None:
    request = RunRequest(
        Path("/data/journals/r"), "r", Limits(memory_mb=100), {"a": {"k": "\ud800ä"}}, {"x": [1]}
    )
    assert RunRequest.decode(request.encode()) == request


def test_credentials_are_not_shown_by_accident() -> None:
    assert "hidden" not in repr(RunRequest(Path("/"), "r", credentials={"a": "hidden"}))


@pytest.mark.parametrize(
    ("limits", "words"),
    [(Limits(memory_mb=20), "too small"), (Limits(timeout_seconds=0), "no time")],
)
def test_a_request_that_cannot_work(limits: Limits, words: str) -> None:
    with pytest.raises(EngineError, match=words):
        RunRequest.decode(RunRequest(Path("/"), "r", limits).encode())


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"directory":"/","run_id":"r"}', b"\xff"])
def test_a_request_that_is_none(body: bytes) -> None:
    with pytest.raises(EngineError, match="not understood"):
        RunRequest.decode(body)
