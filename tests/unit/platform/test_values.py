"""Small rules: times, settings, keys, cron, graph, log text, explanations."""

from __future__ import annotations

import base64
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.model.errors import HoldfastError
from holdfast.platform import clock
from holdfast.platform.access.keys import load_keys
from holdfast.platform.project.schedule import Schedule
from holdfast.platform.settings import Settings
from holdfast.platform.store.logs import message_text
from holdfast.platform.web import render
from holdfast.platform.web.explain import explain
from holdfast.platform.web.graph import layout
from holdfast.protocol.tokens import sign_run_token, verify_run_token

MINUTE = 60 * clock.SECOND


def test_times_go_to_text_and_back() -> None:
    at = 1_767_225_601_123_456
    assert clock.iso(at) == "2026-01-01T00:00:01.123456Z"
    assert clock.from_iso("2026-01-01T00:00:01.123456Z") == at
    assert clock.from_iso("2026-01-01T01:00:01.123456+01:00") == at
    assert clock.from_iso("2026-01-01") == 1_767_225_600_000_000
    assert clock.iso(None) is None


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("plain", "plain"),
        (["a", 1, {"b": [2]}, None], 'a 1 {"b":[2]} null'),
        (["zero\0byte", "bell\a"], "zero\ufffdbyte bell\ufffd"),
        (["line\nbreak\ttab"], "line\nbreak\ttab"),
        (["half \ud800 pair"], "half \ufffd pair"),
    ],
)
def test_log_messages_become_one_text(message: object, text: str) -> None:
    assert message_text(message) == text  # type: ignore[arg-type] # parametrised JSON


@pytest.mark.parametrize(
    ("expression", "text", "due"),
    [
        ("*/15 * * * *", "2026-01-01T10:30:00", True),
        ("*/15 * * * *", "2026-01-01T10:31:00", False),
        ("0 9 * * 1", "2026-01-05T09:00:00", True),
        ("0 9 * * 1", "2026-01-06T09:00:00", False),
    ],
)
def test_cron_matches_whole_minutes(expression: str, text: str, *, due: bool) -> None:
    minute = datetime.fromisoformat(text).replace(tzinfo=UTC)
    assert Schedule(expression).between(minute - timedelta(minutes=1), minute) == [minute] * due


def test_settings_come_from_the_environment_and_arguments_win() -> None:
    environment = {"PORT": "4100", "LISTEN_ADDRESS": "0.0.0.0", "HOLDFAST_DATA": "/d"}
    settings = Settings.from_environment(environment, port=4200, host=None)
    assert (settings.port, settings.host, settings.data) == (4200, "0.0.0.0", Path("/d"))
    assert not settings.loopback
    assert Settings(data=Path(), host="::1").loopback
    with pytest.raises(HoldfastError, match="PORT='x' is not a port from 0 to 65535"):
        Settings.from_environment({"PORT": "x"})
    with pytest.raises(
        HoldfastError, match="SCHEMAS_PATH='/none/x' is not a folder that is there"
    ):
        Settings.from_environment({"SCHEMAS_PATH": "/none/x"})


def test_frames_may_be_much_larger_than_payloads() -> None:
    assert Settings(data=Path(), payload_mb=10).frame_bytes == 31 * 1024 * 1024


def test_keys_are_made_once_and_only_the_owner_may_read_them(tmp_path: Path) -> None:
    first = load_keys(tmp_path / "data", {})
    second = load_keys(tmp_path / "data", {})
    assert first.worker_secret == second.worker_secret
    assert first.encryption == second.encryption
    assert first.admin_token == second.admin_token
    token = sign_run_token(first.run_private, "r", not_before=0, expires_at=100)
    assert verify_run_token(token, second.run_public, 50).run_id == "r"
    secrets = [p for p in (tmp_path / "data").rglob("*") if p.is_file()]
    assert len(secrets) == 5
    assert {stat.S_IMODE(p.stat().st_mode) for p in secrets} == {0o600}
    shown = repr(first)
    assert first.worker_secret not in shown
    assert first.admin_token not in shown


def test_keys_of_the_environment_win(tmp_path: Path) -> None:
    made = load_keys(tmp_path / "a", {})
    pem = (tmp_path / "a" / "keys" / "run-private.pem").read_bytes()
    unpadded = base64.b64encode(pem).decode().rstrip("=")
    found = load_keys(tmp_path / "b", {"WORKER_RUNS_PRIVATE_KEY": unpadded, "WORKER_SECRET": "s"})
    assert found.run_private.private_numbers() == made.run_private.private_numbers()
    assert found.worker_secret == "s"


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"WORKER_RUNS_PRIVATE_KEY": "bm9wZQ=="}, "run tokens"),
        ({"PRIMARY_ENCRYPTION_KEY": "c2hvcnQ="}, "32 bytes"),
    ],
)
def test_a_key_that_cannot_be_used_is_explained(
    tmp_path: Path, environment: dict[str, str], words: str
) -> None:
    with pytest.raises(HoldfastError, match=words):
        load_keys(tmp_path, environment)


def test_a_data_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HoldfastError, match="cannot write to the data folder") as raised:
        load_keys(tmp_path / "file" / "data", {})
    assert raised.value.fix


def test_secrets_are_encrypted_and_another_key_does_not_open_them(tmp_path: Path) -> None:
    keys = load_keys(tmp_path / "a", {})
    sealed = keys.encrypt('{"password":"x"}')
    assert b"password" not in sealed
    assert sealed != keys.encrypt('{"password":"x"}')
    assert keys.decrypt(sealed) == '{"password":"x"}'
    with pytest.raises(HoldfastError, match="encryption key has changed"):
        load_keys(tmp_path / "b", {}).decrypt(sealed)


def test_a_graph_has_its_layers_from_top_to_bottom() -> None:
    def edge(source: str, target: str, *, trigger: bool = False) -> dict[str, object]:
        return {
            "source_trigger_id": source if trigger else None,
            "source_job_id": None if trigger else source,
            "target_job_id": target, "condition_label": None, "condition_type": "always",
            "condition_expression": None, "enabled": True,
        }  # fmt: skip

    adaptor = "@openfn/language-http@1"
    jobs = [{"id": i, "name": i.upper(), "adaptor_resolved": adaptor} for i in "abcd"]
    parts = {
        "triggers": [{"id": "t", "type": "webhook", "enabled": True}],
        "jobs": jobs,
        "edges": [edge("t", "a", trigger=True), edge("a", "b"), edge("a", "c"), edge("b", "d"),
                  edge("c", "d"), edge("a", "gone")],
    }  # fmt: skip
    graph = layout(parts, {"a": "success"})
    place = {node.id: (node.x, node.y) for node in graph.nodes}
    assert place["t"][1] < place["a"][1] < place["b"][1] == place["c"][1] < place["d"][1]
    assert place["b"][0] != place["c"][0]
    assert len(graph.lines) == 5
    assert next(node for node in graph.nodes if node.id == "a").state == "success"


def test_every_end_has_an_explanation() -> None:
    for state in ("success", "failed", "crashed", "killed", "exception", "cancelled", "lost"):
        assert explain(state, None).what
    assert "memory" in explain("killed", "OOMError").what
    assert explain("failed", "SomethingNew").what == explain("failed", None).what


@pytest.mark.parametrize(
    ("value", "text"),
    [(84_000, "84 ms"), (2_400_000, "2.4 s"), (192_000_000, "3 min 12 s"), (None, "")],
)
def test_durations_read_well(value: int | None, text: str) -> None:
    assert render.duration(value) == text


def test_documents_are_shown_indented_and_cut() -> None:
    assert render.pretty('{"a":[1]}') == '{\n  "a": [\n    1\n  ]\n}'
    assert render.pretty("not json") == "not json"
    assert len(render.pretty('"' + "x" * 10**6 + '"')) < 10**6
