"""What a rule of alerts may ask for."""

from __future__ import annotations

import pytest

from holdfast.platform.access.problems import AccessError
from holdfast.platform.store.alert_rules import AlertRule


@pytest.mark.parametrize(
    "address", ["jo@example.org", "jo.do+x@example.org", "o'neil@mail.example.org"]
)
def test_plain_addresses_of_mail_are_taken(address: str) -> None:
    assert AlertRule.of({"mail": address}).target == address


@pytest.mark.parametrize(
    "address", ["root;x@example.org", "x(@example.org", "x\x01@example.org", "@example.org"]
)
def test_what_a_mail_server_would_read_otherwise_is_refused(address: str) -> None:
    with pytest.raises(AccessError, match="mail must be an address"):
        AlertRule.of({"mail": address})


def test_each_event_is_kept_once_however_often_it_is_named() -> None:
    rule = AlertRule.of({"mail": "jo@example.org", "events": ["lost"] * 1000})
    assert list(rule.events) == ["lost"]
