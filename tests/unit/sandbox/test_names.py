"""What /etc/hosts says without the name of the machine (`sandbox/names.py`)."""

from __future__ import annotations

import pytest

from holdfast.sandbox import names

TEXT = """# made for worker-7 by hand
127.0.0.1\tlocalhost
::1 localhost ip6-localhost
127.0.1.1  Worker-7.example.org worker-7 # this one
10.0.0.5 db db.internal worker-7
10.0.0.6 DB
fd00::5 db

junk
"""


def test_names_of_the_machine_and_comments_are_left_out() -> None:
    assert names.without(TEXT, "worker-7.example.org") == (
        "127.0.0.1 localhost\n::1 localhost ip6-localhost\n10.0.0.5 db db.internal\n10.0.0.6 DB\n"
        "fd00::5 db\n"
    )


def test_other_names_keep_their_addresses() -> None:
    table = names.table(names.without(TEXT, "worker-7"))
    assert table["db"] == ["10.0.0.5", "10.0.0.6", "fd00::5"]
    assert table["localhost"] == ["127.0.0.1", "::1"]
    assert "worker-7" not in table


@pytest.mark.parametrize(
    ("own", "told"),
    [("worker-7", True), ("WORKER-7.other.org", True), ("worker-8", False), ("localhost", False),
     ("", False)],
)  # fmt: skip
def test_whether_the_name_can_be_read(own: str, *, told: bool) -> None:
    assert names.tells(TEXT, own) is told


def test_a_machine_that_is_called_localhost_keeps_it() -> None:
    assert "127.0.0.1 localhost\n" in names.without(TEXT, "localhost")
