"""What a run asks its platform before it starts, and when it asks again.

Rules: `docs/spec/lightning-answers.md` 1 and 3 to 5. A question whose answer was lost is asked
again. One that crashes the channel is given up after a few times: every further one would, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from holdfast import log
from holdfast.model.json import Json, JsonObject
from holdfast.protocol.client import Loss, NotJoined
from holdfast.protocol.messages import FETCH_CREDENTIAL, FETCH_PLAN
from holdfast.worker.connection import AnswerLost, Channel, Refused

#: Attempts for a question that is not answered in time, or that crashes the channel.
ATTEMPTS = 3
#: A plan that is refused with this word is asked for again, after these pauses.
_NOT_READY = "adaptor_not_ready"
_NOT_READY_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0)
#: A credential that is refused with these words will never come; any other refusal may pass, such
#: as that of an OAuth service which does not answer. Then it is asked for again after pauses.
_UNKNOWN = "not found"
_REFRESH_SECONDS = (0.5, 2.0, 5.0)


@dataclass(slots=True, eq=False)
class Questions:
    """The questions of one run. `rejoined` waits until its channel is joined (again)."""

    channel: Channel
    rejoined: Callable[[], Awaitable[None]]
    seconds: float  # wait for an answer
    lost: set[str] = field(default_factory=set)  # events of which an answer was lost

    async def ask(self, event: str, payload: JsonObject, crashes: int = ATTEMPTS) -> Json | bytes:
        """The answer, also if earlier ones were lost. Refused, AnswerLost.

        `crashes`: of the channel, after which it is given up.
        """
        left = {None: ATTEMPTS, Loss.ERROR: crashes}
        while True:
            await self.rejoined()
            await self._undisturbed()
            try:
                return await self.channel.request(event, payload, self.seconds)
            except NotJoined:
                continue
            except AnswerLost as lost:
                self.lost.add(event)
                if lost.loss in left:
                    left[lost.loss] -= 1
                    if not left[lost.loss]:
                        raise

    async def plan(self, run_id: str) -> Json | bytes:
        """The plan; asked for again while the platform says that an adaptor is not ready yet."""
        for pause in _NOT_READY_SECONDS:
            try:
                return await self.ask(FETCH_PLAN, {})
            except Refused as error:
                if _NOT_READY not in str(error):
                    raise
                log.warn("run.plan_not_ready", run=run_id, retry_seconds=pause)
            await asyncio.sleep(pause)
        return await self.ask(FETCH_PLAN, {})

    async def credentials(self, wanted: list[str]) -> dict[str, Json | bytes | Exception]:
        """By id: what came, or why nothing did.

        All at a time, but those whose id is no UUID: a Lightning's channel crashes of such a one.
        """
        strange = [name for name in wanted if not is_uuid(name)]
        plain = [name for name in wanted if name not in strange]
        found = dict(zip(plain, await asyncio.gather(*map(self._credential, plain)), strict=True))
        for name in strange:
            found[name] = await self._credential(name, crashes=1)
        return found

    async def _credential(self, name: str, *, crashes: int = ATTEMPTS) -> Json | bytes | Exception:
        for pause in (*_REFRESH_SECONDS, None):
            try:
                return await self.ask(FETCH_CREDENTIAL, {"id": name}, crashes)
            except AnswerLost as error:
                return error
            except Refused as error:
                if pause is None or _UNKNOWN in str(error).lower():
                    return error
                log.warn("credential.refused", topic=self.channel.topic, retry_seconds=pause)
            await asyncio.sleep(pause)
        raise AssertionError

    async def _undisturbed(self) -> None:
        """Wait while a frame is tried that may end the connection: a platform may wipe an input
        whose answer is lost."""
        isolation, changed = self.channel.connection.isolation, asyncio.Event()
        while not isolation.may_send(self, changed.set, suspect=False):
            await changed.wait()
            changed.clear()


def cause_of(event: str, error: Exception) -> str:
    """Why a question failed, as the reference words it."""
    if isinstance(error, AnswerLost):
        crashed = error.loss is Loss.ERROR
        return f"[{event}] {'the channel crashed of it' if crashed else 'timeout'}"
    return str(error)


def is_uuid(text: str) -> bool:
    """Whether a platform can look for this id."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
