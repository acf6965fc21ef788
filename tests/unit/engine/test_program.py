from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.engine.config import JAVASCRIPT, EngineError
from holdfast.engine.run.program import join


def test_the_engines_modules_can_be_joined() -> None:
    text = join(JAVASCRIPT / "main.mjs")
    assert text.isascii()
    for module in JAVASCRIPT.glob("*.mjs"):
        # `judge` is a program of its own
        assert (f"const ${module.stem} = " in text) == (module.stem != "judge")


def test_a_module_stands_behind_what_it_needs_and_only_once(tmp_path: Path) -> None:
    (tmp_path / "main.mjs").write_text(
        "import { a } from './a.mjs';\nimport * as b from './b.mjs';"
    )
    (tmp_path / "a.mjs").write_text("import { b as it } from './b.mjs';\nexport const a = it;\n")
    (tmp_path / "b.mjs").write_text("export const b = 1;\n")
    text = join(tmp_path / "main.mjs")
    assert [text.count(f"const ${name} = ") for name in ("main", "a", "b")] == [1, 1, 1]
    assert text.index("const $b = ") < text.index("const $a = ") < text.index("const $main = ")
    assert "const { b: it } = $b;" in text


@pytest.mark.parametrize(
    "line",
    [
        "export default 1;",
        "export let a = 1;",
        "export { a };",
        "import './b.mjs';",
        "import b, { c } from './b.mjs';",
        "  const b = await import('./b.mjs');",
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "main.mjs").write_text(f"const a = 1;\n{line}\n")
    with pytest.raises(EngineError, match="cannot be joined"):
        join(tmp_path / "main.mjs")
