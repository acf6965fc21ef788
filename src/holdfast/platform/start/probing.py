"""Test the connection of a credential: a small run through a worker (`store/probes.py`)."""

from __future__ import annotations

from dataclasses import replace

from holdfast.adaptors.errors import AutoinstallError
from holdfast.adaptors.specifier import Specifier
from holdfast.platform.clock import now
from holdfast.platform.secrets.probes import Probe, probe_for
from holdfast.platform.service import Platform
from holdfast.platform.start.actions import BY_HAND, ActionError
from holdfast.platform.store import credentials, dataclips, probes, waits
from holdfast.platform.store.credentials import Place
from holdfast.platform.store.database import Connection, Row, Transaction
from holdfast.platform.store.runs import Start, create_work_order

#: The longest that a test may take in its worker, seconds.
MOST_SECONDS = 30.0
NO_WORKER = "No worker is connected: a test runs in a worker, so nothing can be tested now."
NO_VALUE = "The credential has no values for the environment {where!r}: set them first."
NOTHING = (
    "Nothing is known of this kind of credential, and no value of it is an address "
    "(http:// or https://): only a step that uses it can show whether it works."
)


async def probe_connection(platform: Platform, credential: Row, by: str) -> str:
    """Begin a test; the id of its run. Raises ActionError."""
    probe, used = await platform.database.read(lambda c: _probe(platform, c, credential))
    exact = replace(probe, adaptor=used or await _newest(platform, probe))
    return await platform.database.write(lambda tx: _begin(tx, platform, credential, exact, by))


def _probe(platform: Platform, connection: Connection, row: Row) -> tuple[Probe, str | None]:
    """The step, and the adaptor with a version that the project's jobs use, if they do."""
    if not waits.connected(connection, now()).capacity:
        raise ActionError(NO_WORKER, 409)
    place = Place(row.id, credentials.environment_of(connection, row.project_id))
    body = credentials.body_at(connection, platform.keys, place)
    if body is None:
        raise ActionError(NO_VALUE.format(where=place.environment))
    used = [
        (Specifier.parse(version), mine)
        for _, version, mine in probes.adaptors_of(connection, row)
    ]
    probe = probe_for(row.schema, body, [adaptor.short for adaptor, mine in used if mine])
    if probe is None:
        raise ActionError(NOTHING)
    return probe, next((str(a) for a, _ in used if a.name == probe.adaptor), None)


async def _newest(platform: Platform, probe: Probe) -> str:
    try:
        return await platform.resolve(f"{probe.adaptor}@latest")
    except AutoinstallError as error:
        message = f"The adaptor of the test was not found: {error.message}"
        raise ActionError(message) from error


def _begin(tx: Transaction, platform: Platform, credential: Row, probe: Probe, by: str) -> str:
    job = {"name": probe.proof.value, "adaptor": probe.adaptor,
           "adaptor_resolved": probe.adaptor, "body": probe.code}  # fmt: skip
    workflow_id, job_id = probes.put_workflow(tx, credential, job)
    clip = dataclips.insert_clip(
        tx, project_id=credential.project_id, kind="saved_input", body="{}"
    )
    start = Start(workflow_id, clip, job_id=job_id, queue=BY_HAND[0], priority=BY_HAND[1],
                  created_by=by, alone=True, most_seconds=MOST_SECONDS)  # fmt: skip
    return create_work_order(tx, start, platform.settings).run_id
