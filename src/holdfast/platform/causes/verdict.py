"""What a test of a credential's connection has found, from its run. Pure.

The worker's diagnosis names the cause of a failure; the last status of an answer is taken from the
requests that it told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from holdfast.diagnosis.ending import Diagnosis
from holdfast.model.json import Json
from holdfast.model.outcome import RunState
from holdfast.platform.causes.cause import diagnosis_of
from holdfast.platform.secrets.probes import Proof
from holdfast.platform.store.database import Row


class Finding(StrEnum):
    """What was found."""

    #: The test waits or is under way.
    PENDING = "pending"
    #: The other system has accepted the user.
    ACCEPTED = "accepted"
    #: It has answered the credential, as it may answer everybody.
    ANSWERED = "answered"
    #: The address answers; the credential was not tried.
    REACHED = "reached"
    REFUSED_BY_POLICY = "refused by egress policy"
    NO_SUCH_NAME = "name not found"
    CERTIFICATE = "certificate"
    NOTHING_LISTENS = "nothing listens"
    BROKE_OFF = "broke off"
    TOO_SLOW = "time out"
    NOT_AN_ADDRESS = "no address"
    NOT_ALLOWED = "not allowed"
    NOT_FOUND = "not found"
    #: It has answered something that such a system does not.
    STRANGE_ANSWER = "strange answer"
    #: Any other answer that is a failure.
    FAILED_THERE = "failed there"
    #: The credential lacks what its adaptor needs, or could not be loaded.
    INCOMPLETE = "incomplete"
    NO_ADAPTOR = "no adaptor"
    CANCELLED = "cancelled"
    #: None of these: the words of the diagnosis are all there is.
    OTHER = "other"


_BY_CODE: Mapping[str, Finding] = {
    "HF1112": Finding.STRANGE_ANSWER,
    "HF1201": Finding.INCOMPLETE, "HF1202": Finding.INCOMPLETE, "HF1203": Finding.INCOMPLETE,
    "HF1301": Finding.REFUSED_BY_POLICY, "HF1302": Finding.NO_SUCH_NAME,
    "HF1303": Finding.CERTIFICATE, "HF1304": Finding.NOTHING_LISTENS,
    "HF1305": Finding.BROKE_OFF, "HF1306": Finding.TOO_SLOW, "HF1307": Finding.NOT_AN_ADDRESS,
    "HF1308": Finding.NOT_ALLOWED, "HF1309": Finding.NOT_FOUND, "HF1310": Finding.FAILED_THERE,
    "HF1311": Finding.FAILED_THERE, "HF1312": Finding.FAILED_THERE, "HF1401": Finding.TOO_SLOW,
    "HF1501": Finding.NO_ADAPTOR, "HF1502": Finding.NO_ADAPTOR, "HF1904": Finding.CANCELLED,
}  # fmt: skip
_SUCCESS = {Proof.LOGIN: Finding.ACCEPTED, Proof.ANSWER: Finding.ANSWERED,
            Proof.REACH: Finding.REACHED}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """`status`: of the last answer. `cause`: why it failed, in the words of the diagnosis."""

    finding: Finding
    status: int | None = None
    cause: Diagnosis | None = None

    @property
    def good(self) -> bool:
        return self.finding in _SUCCESS.values()


def verdict(run: Row, step: str) -> Verdict:
    """Of the run of a test; `step`: the name of its step, which is what a success proves."""
    state = RunState(run.state)
    if not state.final:
        return Verdict(Finding.PENDING)
    status = _last_status(run.spans)
    if state is RunState.SUCCESS:
        return Verdict(_SUCCESS[Proof(step)], status)
    told = json.loads(run.postmortem) if run.postmortem else None
    made = told.get("diagnosis") if isinstance(told, dict) else None
    cause = diagnosis_of(made, run.state, run.error_type, run.error_message)
    finding = Finding.OTHER if cause is None else _BY_CODE.get(cause.code, Finding.OTHER)
    return Verdict(finding, status, cause)


def _last_status(spans: str | None) -> int | None:
    """Of the requests that a worker told; a foreign one may have sent anything."""
    told: Json = json.loads(spans) if spans else None
    requests = told.get("requests") if isinstance(told, dict) else None
    last = None
    for item in requests if isinstance(requests, list) else ():
        status = item.get("status") if isinstance(item, dict) else None
        last = status if isinstance(status, int) else last
    return last
