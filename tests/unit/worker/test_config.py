"""Options by the names of the reference; every mistake is one clear message."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.cli.worker import worker_command_line
from holdfast.model.errors import UsageError
from holdfast.worker.arguments import parse
from holdfast.worker.config import MOCK_URL, WorkerConfig
from holdfast.worker.options import OPTIONS, megabytes
from holdfast.worker.workloops import parse_workloops

SECRET = {"WORKER_SECRET": "s"}


def config(**environment: str) -> WorkerConfig:
    return WorkerConfig.from_environment({**SECRET, **environment})


def test_defaults_are_those_of_the_reference() -> None:
    made = config()
    assert made.lightning_url == "ws://localhost:4000/worker"
    assert [(loop.key, loop.slots) for loop in made.workloops] == [("manual>*", 5)]
    assert made.backoff == (1.0, 10.0)
    assert (made.port, made.run_memory_mb, made.payload_mb, made.log_payload_mb) == (
        2222,
        500,
        10,
        1,
    )
    assert (made.message_seconds, made.claim_seconds, made.run_seconds) == (30, 3600, 300)
    assert made.state_props_to_remove == ("configuration", "response")
    assert (made.batch_logs, made.batch_ms, made.batch_limit) == (False, 10, 50)
    assert made.name is None
    assert made.egress_option == "lan"
    assert (made.limits.overhead_mb, made.limits.state_mb) == (128, 500)


def test_every_option_of_the_environment_is_read() -> None:
    made = config(
        WORKER_WORKLOOPS="fast_lane:1 manual>*:4", WORKER_BACKOFF="0.5/2",
        WORKER_BATCH_LOGS="1", WORKER_STATE_PROPS_TO_REMOVE="a, b", WORKER_MAX_RUN_MEMORY_MB="256",
        WORKER_SOCKET_TIMEOUT_SECONDS="7", WORKER_CLAIM_TIMEOUT_SECONDS="9",
        DEPLOYED_POD_NAME="pod-1", HOLDFAST_DATA="/data",
    )  # fmt: skip
    assert [(loop.queues, loop.slots) for loop in made.workloops] == [
        (("fast_lane",), 1), (("manual", "*"), 4),
    ]  # fmt: skip
    assert made.backoff == (0.5, 2.0)
    assert made.batch_logs
    assert made.state_props_to_remove == ("a", "b")
    assert made.limits.memory_mb == 256
    assert (made.message_seconds, made.claim_seconds) == (7, 9)
    assert made.name == "pod-1"
    assert made.journals == Path("/data/journals")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"WORKER_SECRET": ""}, "No worker secret"),
        ({"WORKER_CAPACITY": "0"}, "WORKER_CAPACITY"),
        ({"WORKER_PORT": "http"}, "WORKER_PORT"),
        ({"WORKER_BACKOFF": "5/1"}, "WORKER_BACKOFF"),
        ({"WORKER_LIGHTNING_SERVICE_URL": "http://x"}, "not the address"),
        ({"WORKER_LIGHTNING_SERVICE_URL": "ws://x:99999/worker"}, "not the address"),
        ({"WORKER_LIGHTNING_SERVICE_URL": "ws://[x/worker"}, "not the address"),
        ({"WORKER_CAPACITY": "1", "WORKER_WORKLOOPS": "a:1"}, "both given"),
        ({"WORKER_WORKLOOPS": "a"}, "number of slots"),
        ({"WORKER_WORKLOOPS": "a:0"}, "number of slots"),
        ({"WORKER_WORKLOOPS": "*>a:1"}, "may only be the last"),
        ({"WORKER_WORKLOOPS": "a-b:1"}, "not the name of a queue"),
        ({"WORKER_EGRESS": "some where"}, "some where"),
        ({"WORKER_EGRESS": "open,10.0.0.0/8"}, "egress"),
    ],
)
def test_mistakes_are_named(environment: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        WorkerConfig.from_environment({**SECRET, **environment})


def test_workloops_of_the_same_queues_are_one_with_the_slots_of_both() -> None:
    made = config(WORKER_WORKLOOPS="a>*:1 b:1 a>*:2 a>b>a:1")
    assert [(loop.key, loop.slots) for loop in made.workloops] == [
        ("a>*", 3), ("b", 1), ("a>b", 1),
    ]  # fmt: skip


def test_the_address_is_shown_without_what_may_be_secret() -> None:
    made = config(WORKER_LIGHTNING_SERVICE_URL="wss://me:secret@host:4001/worker")
    assert made.platform == "wss://host:4001/worker"


@pytest.mark.parametrize("rest", ["?key=secret", "#secret"])
def test_an_address_with_more_behind_it_is_refused_without_showing_it(rest: str) -> None:
    with pytest.raises(UsageError, match="not the address") as caught:
        config(WORKER_LIGHTNING_SERVICE_URL=f"wss://me:secret@host:4001/worker{rest}")
    assert "secret" not in str(caught.value)
    assert "//…@host:4001/worker?…" in str(caught.value)


def test_w39_options_without_effect_are_said() -> None:
    assert [name for name, _ in config(WORKER_PROFILE="true").ignored] == ["WORKER_PROFILE"]
    given = config(WORKER_NO_REPO_LOCK="1", WORKER_ENABLE_CGROUP_ENFORCEMENT="true").ignored
    assert [name for name, _ in given] == [
        "WORKER_ENABLE_CGROUP_ENFORCEMENT", "WORKER_NO_REPO_LOCK",
    ]  # fmt: skip
    assert all(why for _, why in given)


def test_flags_win_over_the_environment_and_reach_the_agent() -> None:
    environment = {**SECRET, "WORKER_WORKLOOPS": "a:3", "WORKER_LOG_LEVEL": "warn"}
    merged = parse(["--workloops", "a:2", "--batch-logs"]).over(environment)
    made = WorkerConfig.from_environment(merged)
    assert (made.slots, made.batch_logs, made.loop, made.log_level) == (2, True, True, "warn")
    argv, passed = worker_command_line(merged)
    assert WorkerConfig.from_environment(passed) == made
    assert "s" not in argv


def test_no_variable_or_field_is_named_twice() -> None:
    for names in ([o.variable for o in OPTIONS], [o.field for o in OPTIONS]):
        assert len(set(names)) == len(names)


def test_w2_w7_slots_are_counted_and_never_negative() -> None:
    (loop,) = parse_workloops("manual>*:2")
    loop.claims = 1
    loop.runs.add("a")
    assert loop.free == 0
    loop.runs |= {"b", "c", "d"}  # more than were asked for
    assert loop.free == 0
    loop.claims, loop.runs = 0, {"a"}
    assert loop.free == 1
    assert loop.busy


def test_a_workflows_egress_is_narrowed_and_reaches_collections() -> None:
    made = config(WORKER_COLLECTIONS_URL="http://127.0.0.1:4000/collections")
    own = {"base": "lan", "allow": ["127.0.0.1:4000"]}
    assert made.egress_within(None) == own
    assert made.egress_within("none") == {
        "base": "none", "allow": ["127.0.0.1:4000"], "within": own,
    }  # fmt: skip


def test_mock_is_the_address_of_a_mock_and_needs_no_secret() -> None:
    made = WorkerConfig.from_environment({"WORKER_LIGHTNING_SERVICE_URL": "mock"})
    assert made.lightning_url == MOCK_URL
    assert made.secret


def test_debug_needs_no_secret_and_logs_everything() -> None:
    made = WorkerConfig.from_environment(parse(["--debug", "--log", "warn"]).over({}))
    assert made.secret
    assert made.log_level == "debug"


@pytest.mark.parametrize(
    ("argv", "environment", "text"),
    [
        ([], {}, True),
        (["--no-stringify-state"], {}, False),
        ([], {"WORKER_NO_STRINGIFY_STATE": "true"}, False),
        (["--stringify-state"], {"WORKER_NO_STRINGIFY_STATE": "true"}, True),
    ],
)
def test_outputs_may_be_json(argv: list[str], environment: dict[str, str], text: bool) -> None:
    merged = parse(argv).over({**SECRET, **environment})
    assert WorkerConfig.from_environment(merged).text_outputs is text


def test_adaptors_may_come_from_several_repositories() -> None:
    assert config(OPENFN_ADAPTORS_REPO="/a:/b").monorepo_dirs == (Path("/a"), Path("/b"))


@pytest.mark.parametrize(
    ("text", "size"),
    [("6gb", 6144), ("512mb", 512), ("2048", 2048), ("1.5 GiB", 1536), ("1t", 1 << 20)],
)
def test_sizes_as_people_write_them(text: str, size: int) -> None:
    assert megabytes(text) == size


@pytest.mark.parametrize("argv", [["--capcity", "5"], ["--repo-dir"], ["-x"], ["--no-capacity"]])
def test_flags_that_are_none_are_refused(argv: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse(argv)
    assert argv[0] in str(caught.value)


def test_a_drain_lasts_as_long_as_the_longest_run() -> None:
    assert config().drain_within([]) == 330
    assert config().drain_within([60, 7200]) == 7230
    assert config(WORKER_MAX_RUN_DURATION_SECONDS="60").drain_within([]) == 90
    assert config(WORKER_DRAIN_TIMEOUT_SECONDS="5").drain_within([7200]) == 5
    assert config(WORKER_MAX_RUN_DURATION_SECONDS="0").run_seconds == 600
