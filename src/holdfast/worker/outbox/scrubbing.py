"""Secrets of a run that the platform masks in its log lines: fetched again after every rejoin.

A Lightning keeps them in the process of the channel, which ends with the channel. Until they
are fetched again, it stores lines unmasked (`docs/spec/lightning-answers.md` 1 and 5). Our engine
masks them before; this is a second protection.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast import log
from holdfast.protocol.client import NotJoined
from holdfast.protocol.messages import FETCH_CREDENTIAL
from holdfast.worker.connection import AnswerLost, Channel, Refused

#: After so many failed fetches, lines are sent nevertheless.
ATTEMPTS = 3


@dataclass(slots=True)
class Scrubbing:
    """The credentials of one run, and for which join of its channel they were fetched last."""

    credential_ids: tuple[str, ...] = ()
    joins: int = 0

    def fetched(self, credential_ids: tuple[str, ...], joins: int) -> None:
        """Note that all were fetched for this join of the channel."""
        self.credential_ids, self.joins = credential_ids, joins

    def needed(self, channel: Channel) -> bool:
        """Whether they must be fetched before a line is sent."""
        return bool(self.credential_ids) and channel.joined and self.joins != channel.joins

    async def renew(self, channel: Channel, seconds: float) -> None:
        """Fetch them. Returns early if the channel is lost; the next join starts again."""
        joins, failures = channel.joins, 0
        for name in self.credential_ids:
            while True:
                try:
                    await channel.request(FETCH_CREDENTIAL, {"id": name}, seconds)
                except NotJoined:
                    return
                except (AnswerLost, Refused) as error:
                    if channel.joins != joins or not channel.joined:
                        return
                    failures += 1
                    log.warn("credential.not_fetched_again", topic=channel.topic, why=error)
                    if failures >= ATTEMPTS:
                        break
                else:
                    break
        if channel.joins == joins:
            self.joins = joins
