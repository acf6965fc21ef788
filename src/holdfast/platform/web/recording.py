"""A recorded run as one file, for `holdfast replay`: what `holdfast pull-run` makes.

The recording is in the data folder of the run's worker. The page gives it where that worker is the
one of `holdfast up`, which has its folder in the platform's own.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import cast
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from holdfast.bench.bundle import bundle_of
from holdfast.bench.bundle_file import bundle_bytes
from holdfast.journal import JournalError, RunFolder
from holdfast.journal.folder import folder_name
from holdfast.model.errors import UsageError
from holdfast.model.json import JsonObject
from holdfast.model.outcome import RunState
from holdfast.platform.scrubbing import Scrubber
from holdfast.platform.service import Platform
from holdfast.platform.store import catalog, credentials, dataclips
from holdfast.platform.store.database import Connection, Row
from holdfast.platform.store.runs import run_to_show
from holdfast.platform.web.language import say
from holdfast.platform.web.render import message

#: Where a worker keeps the folder of a run that has ended: it moves from the first to the second.
_PLACES = ("journals", "archive")


def is_recorded(run: Row) -> bool:
    """Whether its project had agreed that it is kept, and it has ended."""
    return RunState(run.state).final and json.loads(run.options).get("record") is True


async def recording(request: Request) -> Response:
    """The file to be downloaded. The project must have agreed, and must agree still."""
    platform: Platform = request.app.state.platform
    key = request.path_params["id"]

    def read(connection: Connection) -> Scrubber | tuple[int, str]:
        row = run_to_show(connection, key)
        if row is None:
            return 404, say("There is no such run.")
        if not is_recorded(row):
            return 409, say(
                "This run was not recorded. Its project must agree first: `record: true` in"
                " project.yaml, deployed before the run."
            )
        if not catalog.records(connection, row.project_id):
            return 409, say("The project does not agree any more that its runs are recorded.")
        if dataclips.any_wiped(connection, key):
            return 410, say("Documents of this run were erased by the project's retention policy.")
        return credentials.run_scrubber(connection, platform.keys, platform.scrubbers, key)

    found = await platform.database.read(read)
    if isinstance(found, tuple):
        return message(found[0], say("No recording"), found[1])
    try:
        body = await asyncio.to_thread(_bundle, platform.settings.data / "worker", key, found)
    except (UsageError, JournalError) as error:
        return message(409, say("No recording"), str(error))
    if body is None:
        words = say(
            "The recording is on the machine of the run's worker: `holdfast pull-run %(run)s`"
            " makes the file there.",
            run=key,
        )
        return message(404, say("Not here"), words)
    name = f'attachment; filename="run-{quote(key[:8])}.json"'
    headers = {"cache-control": "no-store", "content-disposition": name}
    return Response(body, media_type="application/json", headers=headers)


def _bundle(data: Path, run_id: str, scrubber: Scrubber) -> bytes | None:
    """The file's bytes, cleaned as all documents that the platform shows; None: it is not here."""
    for place in _PLACES:
        try:
            bundle = bundle_of(RunFolder(data / place / folder_name(run_id)))
        except FileNotFoundError:  # also where it has just been moved, or removed
            continue
        # Value by value: in the file's text a secret may be a number, and its mask is none.
        return bundle_bytes(cast("JsonObject", scrubber.clean_value(bundle.to_json())))
    return None
