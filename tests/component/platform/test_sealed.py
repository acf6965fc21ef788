"""A new encryption key while the platform runs."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select, update

from holdfast.cli.main import cli
from holdfast.platform.access.keys import BadKeyError, Keys, load_keys, rotate
from holdfast.platform.store import access_tables as a
from holdfast.platform.store import tables as t
from support.platform import Served


def fill(served: Served, count: int) -> None:
    for number in range(count):
        body = {"name": f"c{number}", "body": {"password": f"secret-{number}"}}
        answer = served.client.post("/api/projects/demo/credentials", json=body)
        assert answer.status_code == 201
    key = {"type": "api_key", "secret": "a-key-of-a-partner"}
    assert (
        served.client.put("/api/projects/demo/webhook_keys/partner", json=key).status_code == 200
    )


def sealed(served: Served) -> list[bytes]:
    def read(tx: Any) -> list[bytes]:
        tables = ((t.credential_versions, "body"), (a.webhook_keys, "secrets"))
        wanted = [select(table.c[name]).order_by(table.c.id) for table, name in tables]
        return [text for each in wanted for text in tx.connection.scalars(each)]

    return served.write(read)


def opened(served: Served) -> str:
    return " ".join(served.platform.keys.decrypt(text) for text in sealed(served))


def old_form(keys: Keys, text: str) -> bytes:
    """As it was sealed before keys had ids."""
    nonce = os.urandom(12)
    return b"\x01" + nonce + AESGCM(keys.encryption).encrypt(nonce, text.encode(), b"\x01")


def test_everything_is_sealed_anew_and_stays_readable(served: Served, data: Path) -> None:
    fill(served, 3)
    before, text = sealed(served), opened(served)
    first = load_keys(data, {})
    known = ["--url", served.url, "--data", str(data)]
    done = CliRunner().invoke(cli, ["platform", "rotate-key", *known], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "4 secrets sealed" in done.output
    assert opened(served) == text
    assert set(before) & set(sealed(served)) == set()
    for one in sealed(served):
        with pytest.raises(BadKeyError):
            first.decrypt(one)
    assert load_keys(data, {}).encryption == served.platform.keys.encryption
    again = served.client.post("/api/keys/rotate", json={"only_seal": True}).json()["data"]
    assert again["sealed"] == 0
    listed = served.client.get("/api/projects/demo/webhook_keys").json()["data"]
    assert listed[0]["has_secret"]


def test_many_secrets_are_sealed_in_pieces(served: Served) -> None:
    fill(served, 1)

    def copy(tx: Any) -> None:
        row = tx.connection.execute(select(t.credential_versions)).one()
        for number in range(250):
            values = {**row._asdict(), "id": f"{number:036}"}
            tx.connection.execute(t.credential_versions.insert().values(**values))

    served.write(copy)
    assert served.client.post("/api/keys/rotate", json={}).json()["data"]["sealed"] == 252
    mark = served.platform.keys.mark
    assert all(one.startswith(mark) for one in sealed(served))


def test_what_was_sealed_before_keys_had_ids_is_read(served: Served) -> None:
    fill(served, 1)
    old = old_form(served.platform.keys, '{"password":"old-secret"}')
    served.write(lambda tx: tx.connection.execute(update(t.credential_versions).values(body=old)))
    assert "old-secret" in opened(served)
    assert served.client.post("/api/keys/rotate", json={}).json()["data"]["sealed"] == 2
    assert "old-secret" in opened(served)


def test_a_rotation_that_was_broken_off_is_ended_later(data: Path) -> None:
    with Served(data) as served:
        served.deploy()
        fill(served, 2)
        text = opened(served)
    rotate(data, load_keys(data, {}), {})  # and then the machine died
    with Served(data) as served:
        assert opened(served) == text
        answer = served.client.post("/api/keys/rotate", json={"only_seal": True})
        assert answer.json()["data"]["sealed"] == 3
        assert opened(served) == text


def test_a_key_of_the_environment_is_changed_there(data: Path) -> None:
    old, new = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    keys = load_keys(data, {"PRIMARY_ENCRYPTION_KEY": old})
    with pytest.raises(BadKeyError, match="PRIMARY_ENCRYPTION_KEY"):
        rotate(data, keys, {"PRIMARY_ENCRYPTION_KEY": old})
    given = {"PRIMARY_ENCRYPTION_KEY": new, "HOLDFAST_FORMER_ENCRYPTION_KEYS": f" {old}, "}
    assert load_keys(data, given).decrypt(keys.encrypt("text")) == "text"
    with pytest.raises(BadKeyError):
        load_keys(data, {"PRIMARY_ENCRYPTION_KEY": new}).decrypt(keys.encrypt("text"))
