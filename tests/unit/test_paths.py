"""Paths from outside are made absolute where they enter: by rule, for every way in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from holdfast.adaptors.location import default_store_root
from holdfast.adaptors.npm import clean_environment
from holdfast.adaptors.store import Store
from holdfast.cli.kinds import Place
from holdfast.cli.main import cli
from holdfast.engine.config import EngineConfig
from holdfast.engine.request import RunRequest
from holdfast.model.errors import UsageError
from holdfast.paths import absolute, data_folder
from holdfast.platform.settings import Settings
from holdfast.worker.config import WorkerConfig
from holdfast.worker.options import OPTIONS
from holdfast.worker.options import paths as paths_between


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: with a space and a letter beyond ASCII in its name."""
    folder = tmp_path / "été 1"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    return folder


def test_relative_paths_start_at_the_current_folder(home: Path) -> None:
    assert absolute("data") == absolute("./data") == absolute(Path("data")) == home / "data"
    assert absolute(".") == home
    assert absolute("~/data") == absolute("~") / "data" == home / "data"
    assert absolute("/a/b") == Path("/a/b")


def test_file_named_like_an_unknown_home_is_a_file(home: Path) -> None:
    assert absolute("~nobody-here.js") == home / "~nobody-here.js"


@pytest.mark.parametrize("scheme", ["sqlite:///", "sqlite+pysqlite:///"])
def test_sqlite_file_of_a_database_address_is_absolute(home: Path, scheme: str) -> None:
    for given in ("a b.db", "./a b.db", "~/a b.db", f"{home}/a b.db"):
        settings = Settings(home, database_url=f"{scheme}{given}?timeout=5")
        assert settings.database == f"{scheme}{home}/a b.db?timeout=5"


@pytest.mark.parametrize(
    "address", ["postgresql+psycopg://u@h/d", "sqlite://", "sqlite:///:memory:", "nonsense"]
)
def test_other_database_addresses_are_left_alone(home: Path, address: str) -> None:
    assert Settings(home, database_url=address).database == address


def test_symbolic_link_is_kept_and_its_parent_is_the_real_one(home: Path) -> None:
    (home / "real" / "inner").mkdir(parents=True)
    (home / "link").symlink_to("real/inner")
    assert absolute("link") == home / "link"
    assert absolute("link/../data") == home / "real" / "data"


def test_empty_path_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        absolute("")


def test_removed_current_folder_is_told(home: Path) -> None:
    (home / "gone").mkdir()
    os.chdir("gone")
    (home / "gone").rmdir()
    with pytest.raises(ValueError, match="data is relative to the current folder"):
        absolute("data")


def test_data_folder_is_absolute_wherever_it_is_named(home: Path) -> None:
    assert data_folder({}) == home / ".holdfast"
    assert data_folder({"HOLDFAST_DATA": ""}) == home / ".holdfast"
    assert data_folder({"HOLDFAST_DATA": "d"}) == home / "d"
    assert data_folder({"HOLDFAST_DATA": "d"}, Path("e")) == home / "e"
    assert Settings(Path("d")).data == home / "d"
    assert Settings.from_environment({"HOLDFAST_DATA": "d"}).data == home / "d"
    assert default_store_root({"WORKER_REPO_DIR": "s"}) == home / "s"
    assert default_store_root({"HOLDFAST_DATA": "d"}) == home / "d" / "adaptors"
    assert Store(Path("s"), environment={}).root == home / "s"


def test_engine_arguments_are_absolute(home: Path) -> None:
    config = EngineConfig(
        Path("d"), Path("e.sock"), store=Path("s"), node=Path("node"), program=Path("main.mjs")
    )
    assert config == EngineConfig.from_json(config.to_json())
    found = [config.data, config.socket, config.store, config.node, config.program]
    assert found == [home / name for name in ("d", "e.sock", "s", "node", "main.mjs")]
    assert RunRequest(Path("run"), "id").directory == home / "run"


def test_every_variable_of_the_worker_that_takes_a_path_is_absolute(home: Path) -> None:
    readers = (absolute, paths_between)
    paths = {option.field: option.variable for option in OPTIONS if option.read in readers}
    assert paths.keys() == {"data", "repo_dir", "monorepo_dirs", "ca_certs"}
    given = {variable: f"./{field}" for field, variable in paths.items()}
    config = WorkerConfig.from_environment({"WORKER_SECRET": "s", **given})
    for field in paths:
        assert getattr(config, field) in (home / field, (home / field,))


def test_worker_variable_that_names_no_path_is_told(home: Path) -> None:
    (home / "gone").mkdir()
    os.chdir("gone")
    (home / "gone").rmdir()
    with pytest.raises(UsageError, match="HOLDFAST_DATA='d'"):
        WorkerConfig.from_environment({"WORKER_SECRET": "s", "HOLDFAST_DATA": "d"})


def test_npm_is_told_absolute_files(home: Path) -> None:
    """It works in another folder than we do."""
    given = {
        "NODE_EXTRA_CA_CERTS": "ca.pem",
        "npm_config_cafile": "./c.pem",
        "SSL_CERT_DIR": "a:b",
    }
    kept = clean_environment(given)
    assert kept["NODE_EXTRA_CA_CERTS"] == str(home / "ca.pem")
    assert kept["npm_config_cafile"] == str(home / "c.pem")
    assert kept["SSL_CERT_DIR"] == f"{home / 'a'}:{home / 'b'}"


def commands(
    command: click.Command, name: str = "holdfast"
) -> Iterator[tuple[str, click.Command]]:
    """Every command with its name, groups and their commands alike."""
    yield name, command
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for inner in command.list_commands(context):
                found = command.get_command(context, inner)
                assert found is not None
                yield from commands(found, f"{name} {inner}")


#: Words in the name of an option that takes a path.
PATHS = {"data", "store", "file", "output", "credentials", "job"}


@pytest.mark.parametrize(("name", "command"), list(commands(cli)), ids=str)
def test_every_option_for_a_path_is_a_place(name: str, command: click.Command) -> None:
    for parameter in command.params:
        plain = isinstance(parameter.type, click.Path | click.File)
        named = parameter.name in PATHS and name != "holdfast worker"  # see its variables
        if plain or named:
            assert isinstance(parameter.type, Place), f"{name}: {parameter.name}"


def test_place_tells_what_is_no_path(home: Path) -> None:
    with pytest.raises(click.BadParameter, match="empty"):
        Place().convert("", None, None)
    assert Place().convert("d", None, None) == home / "d"
    assert Place(allow_dash=True).convert("-", None, None) == Path("-")
    assert Place().convert("-", None, None) == home / "-"
