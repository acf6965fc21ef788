"""The workflow of the editor as text, and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from holdfast.platform.project.source import ProjectFileError
from holdfast.platform.web.draft import Begin, Draft, Path, Step
from holdfast.platform.web.drafttext import from_text, to_text
from holdfast.platform.web.hook import Hook

CREDENTIALS: list[dict[str, Any]] = [
    {"id": "c1", "name": "register", "owner": None},
    {"id": "c2", "name": "mail", "owner": "jo@example.org"},
]
HOOK = Hook("in", "after_completion", ("k",), ("GET",))
DRAFT = Draft(
    "Referrals",
    7,
    [
        Step("s1", "Get it", "@openfn/language-http@7.2.10", "c1", "get('/a');\n"),
        Step("s2", "Send all", "@openfn/language-common@3.3.4", "keychain:k", "fn(s => s)"),
        Step("s3", "Tell", "@openfn/language-common@3.3.4", "c2", ""),
    ],
    [
        Begin(
            "t1", "webhook", enabled=True, hook=Hook("in", "after_completion", ("k",), ("GET",))
        ),
        Begin("t2", "cron", "0 6 * * *", "Africa/Nairobi"),
    ],
    [
        Path("e1", "t1", "s1"),
        Path("e2", "t2", "s1"),
        Path("e3", "s1", "s2", "js_expression", "state.data.n > 0", "many", on=False),
        Path("e4", "s1", "s3", "on_job_failure"),
    ],
)


def text_of(draft: Draft = DRAFT) -> str:
    return to_text(draft, "w", "demo", CREDENTIALS)


def test_what_is_written_is_read_as_it_was() -> None:
    assert from_text(text_of(), DRAFT, "demo", CREDENTIALS) == DRAFT


def test_paths_between_the_same_steps_stay_apart() -> None:
    paths = [
        Path("e1", "s1", "s2", "on_job_success"),
        Path("e2", "s1", "s2", "js_expression", "state.a"),
        Path("e3", "s1", "s2", "js_expression", "state.b"),
    ]
    draft = replace(DRAFT, paths=paths)
    text = text_of(draft)
    assert from_text(text, draft, "demo", CREDENTIALS) == draft
    text = text.replace("state.b", "state.c")
    changed = [*paths[:2], replace(paths[2], expression="state.c")]
    assert from_text(text, draft, "demo", CREDENTIALS).paths == changed
    backwards = replace(draft, paths=paths[::-1])
    assert from_text(text_of(draft), backwards, "demo", CREDENTIALS) == draft
    fewer = replace(draft, paths=paths[:1])
    ids = [path.id for path in from_text(text, fewer, "demo", CREDENTIALS).paths]
    assert (ids[0], len(set(ids)), {"e2", "e3"} & set(ids)) == ("e1", 3, set())


def test_parts_keep_their_ids_and_new_ones_get_some() -> None:
    text = text_of().replace("name: Get it", "name: Fetch").replace("0 6 * * *", "0 7 * * *")
    text = text.replace(
        "    jobs:\n", "    jobs:\n      new:\n        name: New\n        body: fn(s => s)\n"
    )
    after = from_text(text, DRAFT, "demo", CREDENTIALS)
    assert {step.name: step.id for step in after.steps if step.id in DRAFT.ids} == {
        "Fetch": "s1", "Send all": "s2", "Tell": "s3",
    }  # fmt: skip
    (added,) = (step for step in after.steps if step.id not in DRAFT.ids)
    assert (added.name, added.credential) == ("New", "")
    assert [(begin.id, begin.cron) for begin in after.begins] == [("t1", ""), ("t2", "0 7 * * *")]
    assert after.paths == DRAFT.paths


#: Where a member is written, after which line.
NOT_KEPT = pytest.mark.parametrize(
    ("after", "member"),
    [
        *(
            ("name: demo", member)
            for member in (
                "description: d", "collections: {c: {}}", "globals: {}", "concurrency: 3",
                "channels: {c: {}}", "record: true", "id: x", "webhook_keys: {}", "env: main",
            )
        ),
        ("    name: register", "id: x"),
        *(
            ("    name: Referrals", member)
            for member in ("id: x", "concurrency: null", "retry: {}", "positions: {}")
        ),
        *(("        name: Get it", member) for member in ("id: x", "globals: {}")),
        *(
            ("        type: webhook", member)
            for member in ("id: x", "webhook_response_config: {}", "cron_cursor_job: Get-it")
        ),
        *(
            ("        type: cron", member)
            for member in ("cron_overlap: all", "custom_path: in", "webhook_access: {}")
        ),
        ("        source_job: Get-it", "id: x"),
    ],
)  # fmt: skip


@NOT_KEPT
def test_a_member_that_would_be_dropped_is_refused_at_its_line(after: str, member: str) -> None:
    text = text_of()
    place = text.index(after) + len(after)
    indent = " " * (len(after) - len(after.lstrip()))
    text = f"{text[:place]}\n{indent}{member}{text[place:]}"
    line = text[: place + 1].count("\n") + 1
    with pytest.raises(ProjectFileError, match="is not edited here") as told:
        from_text(text, DRAFT, "demo", CREDENTIALS)
    assert told.value.message.startswith(f"workflow.yaml:{line}: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "name is missing"),
        ("name: demo\nworkflows: {", "broken YAML"),
        ("name: demo\nworkflows: {}", "one workflow"),
        (text_of().replace("target_job: Tell", "target_job: nobody"), "nobody"),
        (text_of().replace("name: Referrals", "name: Referrals\n    concurrency: 2"),
         "concurrency is not edited here"),
        (text_of().replace("type: cron", "type: cron\n        cron_overlap: skip"),
         "cron_overlap is not edited here"),
        (text_of().replace("credential: register", "credential: nowhere"), "nowhere"),
        (text_of().replace("name: register", "name: ours"), ":4: the project has no credential"),
        (text_of().replace("owner: jo@", "owner: al@"), "no credential mail of al@example.org"),
        (text_of().replace("name: demo", "name: other", 1), ":1: the project is called demo"),
        (text_of().replace("body: 'fn(s => s)'", "body: {path: /etc/passwd}"), "not in a file"),
        (text_of().replace("type: webhook", "type: webhok"), "type"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_over_is_told(text: str, words: str) -> None:
    with pytest.raises(ProjectFileError) as told:
        from_text(text, DRAFT, "demo", CREDENTIALS)
    assert words in told.value.message
