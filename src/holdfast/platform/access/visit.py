"""The request that is being answered: who asks, from where, with which session."""

from __future__ import annotations

import hashlib
import hmac
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from holdfast.platform.access.policy import NOBODY, Action, Subject, decide

#: Name of the field with the form's number.
FORM_FIELD = "form_token"


@dataclass(slots=True)
class Trace:
    """What the audit log will say of this request besides who and when."""

    project_id: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Visit:
    """Who asks. `session` is the cookie's number; empty for who came otherwise."""

    subject: Subject = NOBODY
    session: str = ""
    address: str = ""
    trace: Trace = field(default_factory=Trace)


_current: ContextVar[Visit] = ContextVar("visit", default=Visit())  # noqa: B039 - it is frozen


def enter(visit: Visit) -> None:
    """What is answered from here on is answered to this visitor."""
    _current.set(visit)


def current() -> Visit:
    return _current.get()


def subject() -> Subject:
    """Who asks."""
    return _current.get().subject


def note(project_id: str | None = None, **facts: Any) -> None:
    """Facts for the audit log; never secrets."""
    trace = _current.get().trace
    trace.project_id = project_id or trace.project_id
    trace.facts |= facts


def may(action: Action, project_id: str | None = None) -> bool:
    """Whether the visitor may do this; templates ask, too."""
    return decide(subject(), action, project_id).allowed


def may_anywhere(action: Action) -> bool:
    """Whether the visitor may do this in some project, were there one of theirs."""
    asks = subject()
    every = ["any"] if asks.administrator else []
    return any(may(action, key) for key in [*every, *asks.roles])


def form_token(session: str) -> str:
    """The number that forms of this session carry."""
    return hmac.new(session.encode(), b"form", hashlib.sha256).hexdigest()


def form_field() -> Markup:
    """The hidden field that every form of a page needs."""
    session = current().session
    value = form_token(session) if session else ""
    return Markup('<input type="hidden" name="{}" value="{}">').format(FORM_FIELD, value)
