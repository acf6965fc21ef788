"""Secrets in every form they travel in (`docs/spec/platform.md` 4.7)."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.adaptors.node import node_binary
from holdfast.engine.config import JAVASCRIPT
from holdfast.model.json import Json
from holdfast.model.scrubber import Scrubber
from holdfast.model.secrets import forms

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "support" / "secret_vectors.json").read_text()
)
#: Cleans each text of the vectors on standard input with what runs in a run's process.
PROGRAM = """
import fs from 'node:fs';
const { Secrets } = await import(process.argv[1]);
const cleaned = JSON.parse(fs.readFileSync(0, 'utf8')).map(({ bodies, text }) => {
  const secrets = new Secrets();
  for (const body of bodies) secrets.add(body);
  return secrets.scrub(text);
});
process.stdout.write(JSON.stringify(cleaned));
"""


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_secrets_are_masked(vector: dict[str, Any]) -> None:
    assert Scrubber(vector["bodies"]).clean(vector["text"]) == vector["clean"]


def test_the_run_process_masks_the_same() -> None:
    module = (JAVASCRIPT / "secrets.mjs").as_uri()
    done = subprocess.run(
        [node_binary(), "--input-type=module", "--eval", PROGRAM, module],
        input=json.dumps(VECTORS), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    wanted = {vector["name"]: vector["clean"] for vector in VECTORS}
    assert dict(zip(wanted, json.loads(done.stdout), strict=True)) == wanted


@pytest.mark.parametrize("body", [None, [], "text", 3, {"half": "\ud800 surrogate"}])
def test_any_json_may_be_a_credential(body: Json) -> None:
    assert isinstance(forms(body), set)
    assert Scrubber([body]).clean("hello") == "hello"


PARTS = ("aaaaab", "aaaaaab", "abcde", "bcdefgh", "cdefghijkl", "x", "aaaa", "a" * 40)


@given(
    known=st.sets(st.sampled_from(PARTS), min_size=1),
    pieces=st.lists(st.sampled_from((*PARTS, "a", "b", "cd", "é", "\ud800"))),
)
def test_the_leftmost_and_longest_secret_is_masked(known: set[str], pieces: list[str]) -> None:
    text = "".join(pieces)
    whole = sorted(set().union(*(forms({"password": part}) for part in known)), key=len)
    expected = re.sub("|".join(map(re.escape, reversed(whole))), "***", text)
    bodies: list[Json] = [{"password": part} for part in known]
    assert Scrubber(bodies).clean(text) == expected
