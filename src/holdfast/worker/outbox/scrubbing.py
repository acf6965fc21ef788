"""Secrets of a run that the platform masks in its log lines: fetched again after every rejoin.

A Lightning keeps them in the process behind the channel, which dies with the channel; until they
are fetched anew it stores lines unmasked (`docs/spec/lightning-answers.md` 1 and 5). Our engine
masks them before: this is the second lock on the same door.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast import log
from holdfast.protocol.client import NotJoined
from holdfast.protocol.messages import FETCH_CREDENTIAL
from holdfast.worker.connection import AnswerLost, Channel, Refused

#: Fetches that are refused or not answered in time, before lines go all the same.
ATTEMPTS = 3


@dataclass(slots=True)
class Scrubbing:
    """The credentials of one run, and for which join of its channel they were fetched last."""

    credential_ids: tuple[str, ...] = ()
    joins: int = 0

    def fetched(self, credential_ids: tuple[str, ...], joins: int) -> None:
        """All were fetched while the channel was joined for this time."""
        self.credential_ids, self.joins = credential_ids, joins

    def needed(self, channel: Channel) -> bool:
        """Whether they must be fetched before a line goes."""
        return bool(self.credential_ids) and channel.joined and self.joins != channel.joins

    async def renew(self, channel: Channel, seconds: float) -> None:
        """Fetch them. Returns early when the channel is lost; the next join begins anew."""
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
