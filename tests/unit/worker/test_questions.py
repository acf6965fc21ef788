"""What a run asks before it starts: lost answers, refusals that may pass, ids that crash."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from holdfast.model.json import Json, JsonObject
from holdfast.protocol.client import Loss
from holdfast.protocol.isolation import Isolation
from holdfast.worker.connection import AnswerLost, Refused
from holdfast.worker.run import questions
from holdfast.worker.run.preparation import _document
from holdfast.worker.run.questions import ATTEMPTS, Questions, cause_of, is_uuid

CREDENTIAL = "fetch:credential"
OAUTH: Json = "Could not reach the OAuth provider"
UNKNOWN: Json = {"errors": {"id": ["Credential not found!"]}}


@dataclass
class FakeConnection:
    isolation: Isolation = field(default_factory=Isolation)


@dataclass
class FakeChannel:
    """Answers what the test has put up, in order; the last one for ever."""

    answers: deque[object]
    connection: FakeConnection = field(default_factory=FakeConnection)
    topic: str = "run:r"
    asked: list[JsonObject] = field(default_factory=list)

    async def request(self, event: str, payload: JsonObject, seconds: float) -> object:
        assert seconds == 30
        self.asked.append(payload)
        answer = self.answers.popleft() if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "_REFRESH_SECONDS", (0.0, 0.0, 0.0))


async def joined() -> None:
    """The channel is joined at once."""


def asking(*answers: object) -> tuple[Questions, FakeChannel]:
    channel = FakeChannel(deque(answers))
    return Questions(channel, joined, 30), channel  # type: ignore[arg-type]


async def test_a_refusal_that_may_pass_is_asked_again() -> None:
    name = str(uuid4())
    some, channel = asking(Refused(CREDENTIAL, OAUTH), Refused(CREDENTIAL, OAUTH), {"token": "x"})
    assert await some.credentials([name]) == {name: {"token": "x"}}
    assert channel.asked == [{"id": name}] * 3


@pytest.mark.parametrize("answer", [OAUTH, {"errors": {"oauth": ["reauthorize"]}}])
async def test_a_refusal_that_stays_is_told_as_it_was_said(answer: Json) -> None:
    name = str(uuid4())
    some, channel = asking(Refused(CREDENTIAL, answer))
    found = (await some.credentials([name]))[name]
    assert isinstance(found, Refused)
    assert found.response == answer
    assert len(channel.asked) == 4


async def test_an_unknown_credential_is_asked_for_once() -> None:
    some, channel = asking(Refused(CREDENTIAL, UNKNOWN))
    assert isinstance((await some.credentials(["zzz"]))["zzz"], Refused)
    assert len(channel.asked) == 1


@pytest.mark.parametrize(
    ("name", "times"), [("zzz", 1), ("1f0c8f5e-6a55-4c1e-9d7e-2b8f0f6d9a31", ATTEMPTS)]
)
async def test_what_crashes_the_channel_is_given_up(name: str, times: int) -> None:
    some, channel = asking(AnswerLost(Loss.ERROR))
    found = (await some.credentials([name]))[name]
    assert isinstance(found, AnswerLost)
    assert len(channel.asked) == times
    assert cause_of(CREDENTIAL, found) == f"[{CREDENTIAL}] the channel crashed of it"


async def test_silence_is_given_up_and_lost_connections_are_not() -> None:
    cut = AnswerLost(Loss.CONNECTION)
    some, channel = asking(*[cut] * 9, AnswerLost(None))
    with pytest.raises(AnswerLost) as caught:
        await some.ask("fetch:plan", {})
    assert cause_of("fetch:plan", caught.value) == "[fetch:plan] timeout"
    assert len(channel.asked) == 9 + ATTEMPTS
    assert some.lost == {"fetch:plan"}


async def test_ids_that_may_crash_the_channel_are_asked_for_last() -> None:
    first, second = str(uuid4()), str(uuid4())
    some, channel = asking({})
    await some.credentials([first, "zzz", second])
    assert channel.asked == [{"id": first}, {"id": second}, {"id": "zzz"}]


def test_only_a_uuid_is_an_id_that_a_platform_knows() -> None:
    name = str(uuid4())
    assert is_uuid(name)
    assert is_uuid(name.upper())
    for text in ("zzz", "", name[:-1], "{" + name + "}", name.replace("-", "")):
        assert not is_uuid(text)


@pytest.mark.parametrize("answer", [None, b"null", b" null\n", b""])
def test_an_input_that_was_wiped_is_no_input(answer: Json | bytes) -> None:
    assert _document(answer, again=False) == b"{}"
    with pytest.raises(ValueError, match="has wiped the input"):
        _document(answer, again=True)
    assert _document(b'{"data":1}', again=True) == b'{"data":1}'
