"""A backup of a running platform is whole, can be verified, and restores into either database."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, select, text

from holdfast.cli.main import cli
from holdfast.model.errors import HoldfastError
from holdfast.platform.store import backup
from holdfast.platform.store import tables as t
from holdfast.platform.store.backup import BackupError
from support.platform import Served
from support.postgres import database_of


@pytest.fixture
def saved(served: Served, tmp_path: Path) -> Path:
    """A backup of a platform with a run, a log and a credential."""
    served.client.post(
        "/api/projects/demo/credentials", json={"name": "dhis2", "body": {"password": "hunter22"}}
    )
    served.post({"text": "é 😀"})
    with served.worker() as worker:
        talk = worker.take()
        talk.start()
        talk.log("a line")
        talk.complete()
    served.post()
    path = tmp_path / "holdfast.backup"
    backup.write(served.settings.database, path)
    return path


def content(url: str) -> dict[str, list[Any]]:
    """All rows of the tables that tell what happened."""
    engine = create_engine(url)
    tables = (t.projects, t.jobs, t.work_orders, t.runs, t.log_lines, t.dataclip_bodies,
              t.credential_versions)  # fmt: skip
    with engine.connect() as connection:
        found = {
            # what can be searched is made again
            table.name: sorted(map(repr, connection.execute(
                select(*(c for c in table.c if c.name != "indexed_at"))
            )))
            for table in tables
        }  # fmt: skip
    engine.dispose()
    return found


def test_what_is_restored_is_what_was_there(served: Served, saved: Path, tmp_path: Path) -> None:
    before = content(served.settings.database)
    for url in (f"sqlite:///{tmp_path}/again.db", _empty(tmp_path / "other")):
        done = backup.restore(url, saved)
        assert content(url) == before
        assert done.tables["runs"] == 2
    assert b"hunter22" not in gzip.decompress(saved.read_bytes())


def _empty(folder: Path) -> str:
    """An empty database of the kind that these tests use."""
    return str(database_of(folder).get("database_url") or f"sqlite:///{folder}.db")


def test_a_restored_platform_goes_on(served: Served, saved: Path, tmp_path: Path) -> None:
    (folder := tmp_path / "second").mkdir()
    url = _empty(folder)
    backup.restore(url, saved)
    with Served(folder, database_url=url) as again:
        assert len(again.client.get("/api/runs").json()["data"]) == 2
        run_id = again.post()
        with again.worker() as worker:
            talk = worker.take()
            talk.start()
            talk.log("numbers go on")
        assert again.run(run_id)["state"] in {"available", "started"}


@pytest.mark.parametrize("place", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("harm", ["cut", "changed"])
def test_a_damaged_backup_is_refused(saved: Path, place: float, harm: str) -> None:
    data = bytearray(saved.read_bytes())
    at = int(len(data) * place)
    if harm == "cut":
        del data[at:]
    else:
        data[at] ^= 0xFF
    saved.write_bytes(data)
    with pytest.raises(BackupError):
        backup.verify(saved)


def test_a_restore_that_fails_leaves_no_database(saved: Path, tmp_path: Path) -> None:
    data = gzip.decompress(saved.read_bytes())
    saved.write_bytes(gzip.compress(data[: len(data) // 2]))
    with pytest.raises(BackupError):
        backup.restore(f"sqlite:///{tmp_path}/half.db", saved)
    assert not list(tmp_path.glob("half.db*"))


def test_lines_that_were_taken_out_are_noticed(saved: Path) -> None:
    lines = gzip.decompress(saved.read_bytes()).splitlines(keepends=True)
    saved.write_bytes(gzip.compress(b"".join(lines[:5] + lines[6:])))
    with pytest.raises(BackupError, match="does not fit"):
        backup.verify(saved)


def test_a_database_with_something_in_it_is_not_overwritten(served: Served, saved: Path) -> None:
    with pytest.raises(BackupError, match="not empty"):
        backup.restore(served.settings.database, saved)


def test_a_backup_of_a_newer_version_is_refused_with_words(saved: Path, tmp_path: Path) -> None:
    lines = gzip.decompress(saved.read_bytes()).split(b"\n")
    lines[0] = lines[0].replace(b'"revision":"0', b'"revision":"9')
    saved.write_bytes(gzip.compress(b"\n".join(lines)))
    with pytest.raises(BackupError, match="newer version"):
        backup.restore(f"sqlite:///{tmp_path}/x.db", saved)


def test_a_backup_is_of_one_moment_and_holds_up_no_write(served: Served, tmp_path: Path) -> None:
    """Rows that come while it is read are not in it, and no row is there without its others."""
    with (
        backup._engine(served.settings.database) as engine,
        backup._snapshot(engine) as connection,
    ):
        connection.execute(text("SELECT count(*) FROM runs")).one()
        served.post()
        with gzip.open(tmp_path / "b", "wt") as file:
            done = backup._dump(connection, file)
    assert (done.tables["runs"], done.tables["work_orders"]) == (0, 0)


def test_the_commands_write_keys_apart_verify_and_restore(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.post()
    file, keys, folder = (tmp_path / name for name in ("b", "k", "new"))
    if (url := served.settings.database_url) is not None:
        monkeypatch.setenv("DATABASE_URL", url)

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(cli, ["platform", *map(str, arguments)])

    done = run("backup", file, "--data", served.settings.data, "--keys", keys)
    assert done.exit_code == 0, (done.output, done.exception)
    assert (file.stat().st_mode & 0o777, keys.stat().st_mode & 0o777) == (0o600, 0o600)
    assert run("verify", file).output.startswith("whole: ")
    again = run("backup", file, "--data", served.settings.data)
    assert isinstance(again.exception, HoldfastError)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/restored.db")
    done = run("restore", file, "--data", folder, "--keys", keys)
    assert done.exit_code == 0, (done.output, done.exception)
    for path in ("keys/worker-secret", "keys/encryption-key", "admin-token"):
        assert (folder / path).read_bytes() == (served.settings.data / path).read_bytes()
