"""`holdfast adaptors …` as a person calls it, against a registry of our own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.cli.main import main
from support.registry import Registry, serve

NAME = "@openfn/language-probe"


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    with serve() as running:
        running.publish(NAME, "1.0.0")
        for name, value in running.environment(str(tmp_path)).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("WORKER_REPO_DIR", str(tmp_path / "store"))
        yield running


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["adaptors", *arguments])
    told = capsys.readouterr()
    assert isinstance(end.value.code, int)
    return end.value.code, told.out, told.err


def test_the_way_of_an_adaptor_to_another_machine(
    registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = call(capsys, "install", "probe")
    assert (code, out) == (0, f"{NAME}@1.0.0\n")
    assert f"{NAME}@latest is version 1.0.0" in err
    assert "installing" in err
    registry.publish(NAME, "1.1.0")
    assert call(capsys, "install", "probe@latest", "--json")[1].count('"version": "1.1.0"') == 1

    project = tmp_path / "project.yaml"
    project.write_text(
        f"workflows:\n  one:\n    jobs:\n      a:\n        adaptor: '{NAME}@1.0.0'\n"
        "  two:\n    steps:\n      - adaptors: [probe]\n"
    )
    bundle = tmp_path / "bundle.tgz"
    code, out, _ = call(capsys, "bundle", str(project), "-o", str(bundle), "--json")
    assert code == 0
    assert json.loads(out)["adaptors"] == [f"{NAME}@1.0.0", f"{NAME}@1.1.0"]

    other = ["--store", str(tmp_path / "other")]
    code, out, _ = call(capsys, *other, "load", str(bundle))
    assert (code, out) == (0, f"{NAME}@1.0.0\n{NAME}@1.1.0\n")
    code, out, _ = call(capsys, *other, "list", "--json")
    listed = json.loads(out)
    assert [item["version"] for item in listed["adaptors"]] == ["1.0.0", "1.1.0"]
    assert listed["resolutions"] == {f"{NAME}@latest": "1.1.0"}
    shown = call(capsys, *other, "list")[1]
    assert f"{NAME}@1.0.0" in shown
    assert "as npm has it: no esbuild" in shown
    assert [item["joined"] for item in listed["adaptors"]] == [False, False]


def test_verify_tells_damage_by_its_exit_code(
    registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(capsys, "install", "probe")
    assert call(capsys, "verify")[0] == 0
    (file,) = (tmp_path / "store").rglob("language-probe/index.js")
    file.chmod(0o644)
    file.write_text("changed")
    code, out, err = call(capsys, "verify", "--json")
    assert code == 1
    assert json.loads(out) == {f"{NAME}@1.0.0": "damaged"}
    assert "Install them again" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["install", "nonesuch@1.0.0"], "Error installing @openfn/language-nonesuch@1.0.0: "),
        (["install", "a b"], "Unsafe module specifier"),
        (["bundle", "PROJECT", "-o", "x.tgz"], "names no adaptors"),
        (["bundle", "BROKEN", "-o", "x.tgz"], "broken.yaml:2:"),
        (["load", "PROJECT"], "the bundle cannot be used"),
        (["load", "absent.tgz"], "does not exist"),
    ],
)
def test_wrong_use_is_explained_and_ends_with_2(
    registry: Registry,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    files = {"PROJECT": "project.yaml", "BROKEN": "broken.yaml"}
    (tmp_path / "project.yaml").write_text("workflows: {}\n")
    (tmp_path / "broken.yaml").write_text("a: [\nb: }\n")
    code, _, err = call(
        capsys, *(str(tmp_path / files[text]) if text in files else text for text in arguments)
    )
    assert code == 2
    assert message in err
    assert "Traceback" not in err
