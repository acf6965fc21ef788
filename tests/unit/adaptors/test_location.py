from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.adaptors.location import default_store_root


@pytest.mark.parametrize(
    ("env", "data", "root"),
    [
        ({"WORKER_REPO_DIR": "/repo", "HOLDFAST_DATA": "/d"}, Path("/x"), Path("/repo")),
        ({"HOLDFAST_DATA": "/d"}, None, Path("/d/adaptors")),
        ({"HOLDFAST_DATA": "/d"}, Path("/x"), Path("/x/adaptors")),
        ({"WORKER_REPO_DIR": ""}, None, Path("~/.holdfast/adaptors").expanduser()),
        ({"WORKER_REPO_DIR": "~/repo"}, None, Path("~/repo").expanduser()),
    ],
)
def test_the_store_is_where_the_operator_says(
    env: dict[str, str], data: Path | None, root: Path
) -> None:
    assert default_store_root(env, data) == root
