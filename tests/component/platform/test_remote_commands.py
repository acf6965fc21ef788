"""`holdfast collections`, `runs` and `workorders` against a platform."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from holdfast.cli.main import cli
from holdfast.model.errors import HoldfastError
from support.platform import Served

Holdfast = Callable[..., Result]


@pytest.fixture
def holdfast(served: Served) -> Holdfast:
    served.deploy({"id": _project(served), "collections": [{"name": "codes"}]})
    token = served.platform.keys.admin_token

    def call(*arguments: str | Path, stdin: str | None = None) -> Result:
        where = ["--url", served.url, "--token", token]
        return CliRunner().invoke(cli, [*map(str, arguments), *where], input=stdin)

    return call


def _project(served: Served) -> str:
    return str(served.client.get("/api/provision/demo").json()["data"]["id"])


def refusal(result: Result) -> str:
    assert isinstance(result.exception, HoldfastError), result.output
    return result.exception.message


def test_items_are_set_got_and_removed(holdfast: Holdfast, tmp_path: Path) -> None:
    assert holdfast("collections", "set", "codes", "a/b c", '{"iso":"KE"}').exit_code == 0
    assert holdfast("collections", "set", "codes", "text", "-", stdin="no JSON").exit_code == 0
    assert json.loads(holdfast("collections", "get", "codes", "a/b c").stdout) == {"iso": "KE"}
    lines = holdfast("collections", "get", "codes").stdout.splitlines()
    assert [json.loads(line)["value"] for line in lines] == [{"iso": "KE"}, "no JSON"]
    assert "demo/codes  2 items" in holdfast("collections", "list").stdout
    listed = json.loads(holdfast("collections", "list", "--project", "demo", "--json").stdout)
    assert listed[0]["items"] == 2
    assert holdfast("collections", "remove", "codes", "t*", "--dry-run").stdout == "text\n"
    assert holdfast("collections", "remove", "codes", "t*", "--yes").stdout == "1 removed\n"
    assert "has no item 'text'" in refusal(holdfast("collections", "get", "codes", "text"))
    assert "the platform has no 'nothing'" in refusal(holdfast("collections", "get", "nothing"))
    one = tmp_path / "one.jsonl"
    one.write_text('{"key": "a", "value": 1}\n')
    assert "1 item imported" in holdfast("collections", "import", "codes", one).stderr
    nowhere = holdfast("collections", "import", "nothing", one)
    assert "the platform has no 'nothing'" in refusal(nowhere)
    assert "imported" not in nowhere.output


@pytest.mark.parametrize("name", ["all.json", "all.jsonl", "all.csv"])
def test_what_is_exported_is_imported(
    served: Served, holdfast: Holdfast, tmp_path: Path, name: str
) -> None:
    items = [{"key": f"k{n}", "value": json.dumps({"n": n, "é": "x" * 50})} for n in range(1200)]
    for part in (items[:1000], items[1000:]):
        served.client.post("/collections/codes", json={"items": part})
    file = tmp_path / name
    assert "1200 items exported" in holdfast("collections", "export", "codes", file).stderr
    before = holdfast("collections", "get", "codes", "--limit", 2000).stdout
    holdfast("collections", "remove", "codes", "*", "--yes")
    imported = holdfast("collections", "import", "codes", file)
    assert "1200 items imported" in imported.stderr, imported.exception
    assert holdfast("collections", "get", "codes", "--limit", 2000).stdout == before
    listed = json.loads(holdfast("collections", "list", "--json").stdout)
    holdfast("collections", "remove", "codes", "*", "--yes")
    assert json.loads(holdfast("collections", "list", "--json").stdout)[0]["bytes"] == 0
    assert (
        listed[0]["bytes"]
        == sum(
            len((i["key"] + json.dumps(json.loads(i["value"]), ensure_ascii=False)).encode())
            for i in items
        )
        or name == "all.csv"
    )


def test_a_file_with_a_mistake_names_the_place(holdfast: Holdfast, tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"key": "a", "value": 1}\n{"key": 1}\n')
    assert "line 2" in refusal(holdfast("collections", "import", "codes", file))
    assert "No such file" in refusal(holdfast("collections", "import", "codes", tmp_path / "no"))


def test_collections_of_a_project_have_room_for_so_much(
    served: Served, holdfast: Holdfast
) -> None:
    object.__setattr__(served.platform.settings, "collections_mb", 0.0001)
    assert holdfast("collections", "set", "codes", "a", '"x"').exit_code == 0
    words = refusal(holdfast("collections", "set", "codes", "b", json.dumps("x" * 200)))
    assert "may hold 0.0001 MB together" in words
    assert "1 items" in holdfast("collections", "list").stdout


def test_runs_are_listed_shown_retried_and_cancelled(served: Served, holdfast: Holdfast) -> None:
    first, second = served.post(), served.post()
    listed = holdfast("runs", "ls", "--limit", 1).stdout
    assert second in listed
    assert first not in listed
    assert len(json.loads(holdfast("runs", "ls", "--json", "--state", "available").stdout)) == 2
    assert "no run begins with 'zz'" in refusal(holdfast("runs", "show", "zz"))
    assert holdfast("runs", "cancel", second[:13]).stdout == f"run {second}: cancelled\n"
    assert "nothing to cancel" in refusal(holdfast("runs", "cancel", second))
    assert f"run {second}: cancelled" in holdfast("runs", "show", second[:13]).stdout
    again = json.loads(holdfast("runs", "retry", second, "--json").stdout)["run_id"]
    assert json.loads(holdfast("runs", "show", again, "--json").stdout)["steps"] == []
    orders = json.loads(holdfast("workorders", "--project", "demo", "--json").stdout)
    assert [order["attributes"]["state"] for order in orders] == ["pending", "pending"]
    assert holdfast("runs", "ls", "--since", "2100-01-01").stdout == ""
    assert len(holdfast("runs", "ls", "--workflow", "Referrals", "--limit", 1).stdout) > 36
    for none in (
        ["--longer-than", "1.5h"], ["--worker", "nobody"], ["--memory-above", 1],
        ["--error-type", "E"], ["--until", "2020-01-01"], ["--state", "lost"],
    ):  # fmt: skip
        assert holdfast("runs", "ls", *none).stdout == ""
        assert holdfast("workorders", *none).stdout == ""
    assert "is no duration" in holdfast("runs", "ls", "--longer-than", "soon").output
    assert "'odd' is none of" in refusal(holdfast("runs", "ls", "--state", "odd"))


def test_many_runs_are_cancelled_and_retried_by_filters(
    served: Served, holdfast: Holdfast
) -> None:
    made = [served.post() for _ in range(3)]
    bulk = ("runs", "bulk")
    assert "--project" in holdfast(*bulk, "cancel").output
    of_demo = ("--project", "demo", "--workflow", "Referrals")
    assert holdfast(*bulk, "cancel", *of_demo, "--dry-run").output == "3 runs\n"
    assert "3 done, 0 skipped, of 3" in holdfast(*bulk, "cancel", *of_demo, "--wait").output
    assert {served.run(key)["state"] for key in made} == {"cancelled"}
    told = holdfast(*bulk, "retry", *of_demo, "--state", "cancelled").output
    assert "retry  running  0 done" in told
    key = told.split()[0]
    assert "retry" in holdfast(*bulk, "stop", key, "--project", "demo").output
    assert len(holdfast(*bulk, "ls", "--project", "demo").output.splitlines()) == 2


def test_a_log_is_followed_to_the_end_of_its_run(served: Served, holdfast: Holdfast) -> None:
    run_id = served.post()
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        talk.log("first")
        assert "first" in holdfast("runs", "logs", run_id).stdout
        talk.log("second \x1b[31mred", level="error")
        talk.complete()
    told = holdfast("runs", "logs", run_id, "-f").stdout
    assert told.splitlines()[0].split(maxsplit=2)[2] == "first"
    assert "\x1b[31mred" not in told
    lines = holdfast("runs", "logs", run_id, "--json").stdout.splitlines()
    assert json.loads(lines[0])["message"] == "first"


def test_retention_is_set_shown_and_applied(served: Served, holdfast: Holdfast) -> None:
    told = holdfast("retention", "set", "demo", "--documents", "30", "--logs", "keep").output
    assert told.splitlines() == [
        "documents: kept 30 days, 0 due", "logs: kept for ever, 0 due",
        "runs: kept for ever, 0 due", "policy: retain_all",
    ]  # fmt: skip
    assert holdfast("retention", "show", "demo").output == told
    assert holdfast("retention", "apply", "demo", "--dry-run").output == "documents: 0 due\n"
    assert "runs: 0 removed" in holdfast("retention", "apply", "demo").output
    assert "'soon' is neither" in holdfast("retention", "set", "demo", "--runs", "soon").output


def test_workflows_and_the_queue_are_paused_and_resumed(
    served: Served, holdfast: Holdfast
) -> None:
    assert holdfast("pause", "Referrals", "--project", "demo").output == (
        "workflow Referrals: paused\n"
    )
    assert holdfast("pause", "--queue").output == "the queue: paused\n"
    told = served.client.get("/api/queue").json()
    assert [item["name"] for item in told["paused_workflows"]] == ["Referrals"]
    assert told["paused"]["by"] == "admin token"
    assert holdfast("resume", "Referrals").output == "workflow Referrals: resumed\n"
    assert holdfast("resume", "--queue").output == "the queue: resumed\n"
    told = served.client.get("/api/queue").json()
    assert (told["paused"], told["paused_workflows"]) == (None, [])
    assert "there is no workflow 'Nothing'" in refusal(holdfast("pause", "Nothing"))
    assert "Name a workflow" in holdfast("pause").output


def test_the_schedule_of_a_project_is_shown(served: Served, holdfast: Holdfast) -> None:
    assert holdfast("schedule", "demo").output == "no enabled cron trigger\n"
    known = served.client.get("/api/provision/demo").json()["data"]
    trigger = {"type": "cron", "enabled": True, "cron_expression": "0 9 * * *",
               "cron_timezone": "Africa/Nairobi"}  # fmt: skip
    served.deploy({"id": known["id"], "workflows": [
        {"name": "Nightly", "triggers": [trigger], "edges": [],
         "jobs": [{"name": "J", "body": "fn(s => s)"}]}
    ]})  # fmt: skip
    head, *times = holdfast("schedule", "demo", "--count", "2").output.splitlines()
    assert head == "Nightly: 0 9 * * * Africa/Nairobi, overlap all, catch-up none"
    assert [time[-5:] for time in times] == ["06:00", "06:00"]
