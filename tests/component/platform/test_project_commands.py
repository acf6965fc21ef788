"""`holdfast pull`, `diff` and `deploy` against a platform: nothing is lost, conflicts are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner, Result

from holdfast.cli.main import cli
from holdfast.model.errors import HoldfastError
from support.platform import Served
from support.projects import random_project

Holdfast = Callable[..., Result]


@pytest.fixture
def holdfast(served: Served) -> Holdfast:
    token = served.platform.keys.admin_token

    def call(*arguments: str | Path) -> Result:
        where = ["--url", served.url, "--token", token]
        return CliRunner().invoke(cli, [*map(str, arguments), *where])

    return call


def document(served: Served, name: str = "demo") -> dict[str, Any]:
    data: dict[str, Any] = served.client.get(f"/api/provision/{name}").json()["data"]
    return data


def refusal(result: Result) -> str:
    assert isinstance(result.exception, HoldfastError), result.output
    return result.exception.message


def change(served: Served, body: str, workflow: int = 0) -> None:
    """What another person does meanwhile."""
    changed = document(served)
    changed["workflows"][workflow]["jobs"][0]["body"] = body
    served.deploy(changed)


@pytest.mark.parametrize(("form", "name"), [("folder", ""), ("1", "p.yaml"), ("2", "p.yaml")])
def test_what_was_pulled_is_what_is_there(
    served: Served, holdfast: Holdfast, tmp_path: Path, form: str, name: str
) -> None:
    seed = 7
    wanted = random_project(Random(seed))
    served.deploy(wanted)
    before = document(served, wanted["name"])
    target = tmp_path / "pulled" / name
    pulled = holdfast("pull", wanted["name"], "--to", target, "--form", form)
    assert pulled.exit_code == 0, pulled.exception
    assert "is up to date" in holdfast("pull", "--to", target, "--form", form).output
    same = holdfast("diff", target)
    assert (same.exit_code, same.output) == (0, f"{wanted['name']}: nothing to change\n")
    deployed = holdfast("deploy", target)
    assert f"{wanted['name']}: nothing to change" in deployed.output, deployed.exception
    assert document(served, wanted["name"]) == before


@pytest.mark.parametrize(("form", "name"), [("folder", ""), ("1", "p.yaml"), ("2", "p.yaml")])
def test_a_change_goes_there_and_what_others_did_is_told_first(
    served: Served, holdfast: Holdfast, tmp_path: Path, form: str, name: str
) -> None:
    target = tmp_path / "pulled" / name
    chain = {"name": "clinic", "path": "$.clinic"}
    keychain = served.client.post("/api/projects/demo/keychains", json=chain).json()["data"]["id"]
    with_chain = document(served)
    with_chain["workflows"][0]["jobs"][0] |= {
        "keychain_credential_id": keychain, "project_credential_id": None,
    }  # fmt: skip
    served.deploy(with_chain)
    holdfast("pull", "demo", "--to", target, "--form", form)
    code = next(target.glob("workflows/*/fetch.js")) if form == "folder" else target
    code.write_text(code.read_text().replace("fn(s => s)", "fn(s => ({mine: 1}))", 1))
    told = holdfast("diff", target)
    assert told.exit_code == 1
    assert "~ job Fetch (Referrals): body" in told.output
    assert "+fn(s => ({mine: 1}))" in told.output
    kept = holdfast("pull", "--to", target, "--form", form)
    assert "the files were changed since they were fetched: Referrals" in refusal(kept)
    before = document(served)
    dry = holdfast("deploy", target, "--dry-run")
    assert "~ job Fetch (Referrals)" in dry.output, dry.exception
    assert document(served) == before
    assert holdfast("deploy", target).exit_code == 0
    job = document(served)["workflows"][0]["jobs"][0]
    assert job["body"].strip() == "fn(s => ({mine: 1}))"
    assert job["keychain_credential_id"] == keychain, "files have no keychains, and leave them"
    assert "nothing to change" in holdfast("deploy", target).output
    change(served, "fn(s => ({theirs: 1}))")
    before = document(served)
    code.write_text(code.read_text().replace("mine", "new"))
    words = refusal(holdfast("deploy", target))
    assert "workflow Referrals was changed" in words
    assert document(served) == before
    assert "! workflow Referrals was changed" in holdfast("diff", target).output
    assert holdfast("deploy", target, "--force").exit_code == 0
    assert "new: 1" in document(served)["workflows"][0]["jobs"][0]["body"]


def test_a_workflow_that_somebody_made_meanwhile_is_not_removed(
    served: Served, holdfast: Holdfast, tmp_path: Path
) -> None:
    holdfast("pull", "demo", "--to", tmp_path / "p")
    before = document(served)
    fresh = {"name": "Theirs", "jobs": [{"name": "J", "body": "fn(s => s)"}]}
    served.deploy({"id": before["id"], "workflows": [fresh]})
    words = refusal(holdfast("deploy", tmp_path / "p"))
    assert "workflow Theirs was made, and this deployment would remove it" in words
    holdfast("pull", "--to", tmp_path / "p")
    assert (tmp_path / "p/workflows/theirs/j.js").read_text() == "fn(s => s)"
    gone = document(served)
    theirs = next(w["id"] for w in gone["workflows"] if w["name"] == "Theirs")
    served.deploy({"id": before["id"], "workflows": [{"id": theirs, "delete": True}]})
    assert "workflow theirs was removed" in refusal(holdfast("deploy", tmp_path / "p"))
    holdfast("pull", "--to", tmp_path / "p", "--force")
    assert not (tmp_path / "p/workflows/theirs").exists()


def test_everything_is_told_as_json_too(
    served: Served, holdfast: Holdfast, tmp_path: Path
) -> None:
    target = tmp_path / "p.yaml"
    pulled = json.loads(holdfast("pull", "demo", "--to", target, "--json").output)
    assert str(target) in pulled["written"]
    target.write_text(target.read_text().replace("fn(s => s)", "fn(s => ({}))", 1))
    told = json.loads(holdfast("diff", target, "--json").output)
    assert told["changes"][0]["members"] == {"body": ["fn(s => s)", "fn(s => ({}))"]}
    dry = json.loads(holdfast("deploy", target, "--dry-run", "--json").output)
    assert dry["dry_run"]
    assert dry["changes"] == ["~ job Fetch (Referrals)"]


def test_mistakes_of_a_folder_are_told_with_their_file(holdfast: Holdfast, tmp_path: Path) -> None:
    holdfast("pull", "demo", "--to", tmp_path)
    file = next(tmp_path.glob("workflows/referrals/referrals.yaml"))
    file.write_text(file.read_text().replace("adaptor:", "adapter:", 1))
    (file.parent / "store.js").unlink()
    words = refusal(holdfast("deploy", tmp_path))
    assert f"{file}:" in words
    assert "did you mean 'adaptor'?" in words
    assert "cannot read ./store.js" in words


def test_a_deployment_says_which_secrets_it_set(
    served: Served, holdfast: Holdfast, tmp_path: Path
) -> None:
    project, secrets = tmp_path / "project.yaml", tmp_path / "secrets.yaml"
    project.write_text("name: keyed\ncredentials: {api: {name: the api}}\nworkflows: {}\n")
    secrets.write_text("api: {token: made-up-word}\n")
    first = holdfast("deploy", project, "--credentials", secrets)
    assert "+ credential the api (its secret is set)" in first.output, first.exception
    second = holdfast("deploy", project, "--credentials", secrets)
    assert "keyed: 1 change\n  ~ credential the api (its secret is set)" in second.output
    assert "nothing to change" in holdfast("deploy", project).output


def test_a_project_that_nobody_has_is_an_error(holdfast: Holdfast, tmp_path: Path) -> None:
    assert "the platform has no 'nobody'" in refusal(
        holdfast("pull", "nobody", "--to", tmp_path / "p")
    )
    assert "which project?" in refusal(holdfast("pull", "--to", tmp_path / "empty"))
