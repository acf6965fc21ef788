"""What somebody edits of a webhook, from the document through a form and back."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.platform.web.hook import MARK, Hook

FULL = {
    "custom_path": "new-patients",
    "webhook_reply": "after_completion",
    "webhook_access": {
        "keys": ["partner", "a:b"],
        "methods": ["GET"],
        "origins": ["https://a.org", "*"],
    },
}
EMPTY = {"custom_path": None, "webhook_reply": None, "webhook_access": None}


@pytest.mark.parametrize("document", [FULL, EMPTY, {**FULL, "webhook_access": None}])
def test_a_document_comes_back_as_it_was(document: dict[str, Any]) -> None:
    assert Hook.of_document(document).to_document() == document


def test_a_document_that_says_nothing_is_an_empty_one() -> None:
    assert Hook.of_document({}) == Hook()


def test_a_form_gives_what_is_ticked() -> None:
    sent = {MARK: "yes", "path": " new-patients ", "reply": "after_completion",
            "key:partner": "yes", "key:a:b": "yes", "method:GET": "yes",
            "origins": "https://a.org,  *"}  # fmt: skip
    assert Hook.of_form(sent) == Hook.of_document(FULL)
    assert Hook.of_form({MARK: "yes"}) == Hook()
    assert Hook.of_form({"path": "x"}) is None, "another form, which does not speak of it"
