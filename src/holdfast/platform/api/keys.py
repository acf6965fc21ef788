"""The encryption key over the API: a new one, while the platform runs."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.platform.access import visit
from holdfast.platform.access.keys import BadKeyError, key_id, rotate
from holdfast.platform.access.problems import AccessError
from holdfast.platform.api.body import flag, object_of
from holdfast.platform.service import Platform
from holdfast.platform.store.sealed import seal_anew

#: Rows of each table in one transaction: nobody waits long.
_MOST = 100
_one_at_a_time = asyncio.Lock()
_SEVERAL = (
    "Several processes serve, and each has read the key when it started. Stop them, start"
    " `holdfast platform` without --processes, rotate the key, and start them again."
)


async def rotate_key(request: Request) -> Response:
    """`POST /api/keys/rotate` with `{"only_seal"?}`: a new key, and everything sealed with it.

    What an old key has sealed can be read all the time. If this is broken off, do it again with
    `only_seal`.
    """
    platform: Platform = request.app.state.platform
    only_seal = flag(await object_of(request), "only_seal")
    if platform.settings.part is not None:
        raise AccessError(_SEVERAL, 409)
    async with _one_at_a_time:
        try:
            if not only_seal:
                data, keys = platform.settings.data, platform.keys
                platform.keys = await asyncio.to_thread(rotate, data, keys)
            sealed = await _seal(platform)
        except BadKeyError as error:
            raise AccessError(" ".join(filter(None, [error.message, error.fix])), 409) from error
    key = key_id(platform.keys.encryption).hex()
    visit.note(key=key, sealed=sealed)
    return JSONResponse({"data": {"key": key, "sealed": sealed}})


async def _seal(platform: Platform) -> int:
    """Seal everything with today's key; how much was to be done."""
    after, count = "", 0
    while True:
        start, keys = after, platform.keys
        after, sealed = await platform.database.write(
            lambda tx, start=start, keys=keys: seal_anew(tx, keys, start, _MOST)  # type: ignore[misc]
        )
        count += sealed
        if not after:
            return count
