"""A run as a case of `holdfast test`: its input, the steps it went through, and its end. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from holdfast.model.json import Json, JsonObject
from holdfast.platform.project.writing import Names, hyphenated, to_yaml

_HEAD = """\
# Put this file into tests/ beside project.yaml; `holdfast test` runs it.
# What other systems answered is known to the run's worker only: write it into `requests`, or make
# the case there with `holdfast pull-run` and `holdfast test --from-run`.
"""


def case_text(
    workflow: str, run: Any, jobs: Sequence[Any], steps: Sequence[Any], data: tuple[Json, Json]
) -> str:
    """The file. `jobs`: of the workflow; `steps`: that ran; `data`: first and last state."""
    state, output = data
    names = Names()
    keys = {job["id"]: names.give(hyphenated(str(job["name"])), str(job["name"])) for job in jobs}
    path: list[Json] = [keys.get(step.job_id, step.job_id) for step in steps]
    case: JsonObject = {"input": state if isinstance(state, dict) else {}, "path": path}
    if run.state != "success":
        case["fails"] = run.error_type or run.error_message or run.state
    elif steps and isinstance(output, dict):
        case["expect"] = {str(path[-1]): output}
    case["requests"] = []
    return _HEAD + to_yaml({"workflow": workflow, "cases": {f"run {run.id[:8]}": case}})
