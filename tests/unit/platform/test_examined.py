"""A post-mortem is shown whatever a worker sent."""

from __future__ import annotations

import json

import pytest

from holdfast.platform.web.examined import examined

SAMPLES = [[0, 0], [1000, 50 << 20]]


def test_the_picture_of_memory() -> None:
    document = {"memory": {"limit_mb": 100, "means": "x", "counters": {"peak": 50 << 20},
                           "samples": SAMPLES}}  # fmt: skip
    shown = examined(json.dumps(document))
    assert shown is not None
    assert shown.memory == "Memory: peak 50 MB of 100 MB, measured by x."
    assert shown.line is not None
    assert shown.line.startswith("0,90 600,")


@pytest.mark.parametrize("number", ["-1", "NaN", "1e999", "1" + "0" * 400, "0", "true", "{}"])
def test_numbers_that_nobody_measured_are_left_out(number: str) -> None:
    for samples in (SAMPLES, [[0, -1], [1, -1]], [[float("nan"), 1], [2, float("inf")]]):
        memory = f'{{"limit_mb": {number}, "samples": {json.dumps(samples)}}}'
        shown = examined(f'{{"memory": {memory}}}')
        assert shown is not None
        assert shown.line is None
