"""`holdfast doctor`: whether a run may connect somewhere, and where core dumps go."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from holdfast.cli.main import cli
from holdfast.engine.doctor import dumps, reach
from holdfast.model.json import Json

NAMES = {"db.internal": ["10.1.2.3"], "api.example.org": ["93.184.216.34"], "gone": []}


@pytest.mark.parametrize(
    ("target", "policy", "good", "words"),
    [
        ("db.internal:5432", "lan", True, "allowed"),
        ("db.internal:5432", "public", False, "refused, public: private range (10.0.0.0/8)"),
        ("api.example.org", "none", False, "refused, none: not listed"),
        ("127.0.0.1:80", "lan", False, "refused, lan: loopback"),
        ("api.example.org", {"base": "none", "allow": ["api.example.org"]}, True, "allowed"),
        ("gone:1", "lan", False, "has no address here"),
    ],
)
def test_every_address_is_judged(target: str, policy: Json, good: bool, words: str) -> None:
    (check,) = reach(target, policy, lambda host: NAMES[host])
    assert check.good is good
    assert words in check.text


@pytest.mark.parametrize(
    ("hard", "pattern", "good"),
    [
        (0, "|/usr/lib/systemd/systemd-coredump %P\n", False),
        (1, "|/usr/lib/systemd/systemd-coredump %P\n", True),
        (-1, "|/usr/share/apport/apport %p", True),
        (0, "core\n", True),
        (0, "", True),
    ],
)
def test_a_hard_core_limit_of_0_is_told_where_a_program_takes_dumps(
    hard: int, pattern: str, *, good: bool
) -> None:
    check = dumps(hard, pattern)
    assert check.good is good
    assert good or ("systemd-coredump:" in check.text and "LimitCORE" in str(check.fix))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--reach", "127.0.0.1:80"], 2, "lan: loopback"),
        (["--reach", "10.200.1.1:80"], 0, "allowed"),
        (["--reach", "10.200.1.1:80", "--egress", "public"], 2, "WORKER_EGRESS=public,10.200.1.1"),
    ],
)
def test_the_command_says_it(arguments: list[str], code: int, words: str) -> None:
    done = CliRunner(env={"WORKER_EGRESS": ""}).invoke(cli, ["doctor", *arguments])
    assert done.exit_code == code, done.output
    assert words in done.output
