"""Which workers are connected, and what they have open (`docs/spec/platform.md` 2.6).

The list of connections is this process's memory; the table `workers` mirrors it for people, for
other platforms on the same database, and for the time after a restart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from holdfast.model.json import JsonObject
from holdfast.platform.clock import now
from holdfast.platform.store import workers
from holdfast.platform.store.database import Transaction
from holdfast.protocol.messages import RUN_ABORT, WORK_AVAILABLE, WORKER_QUEUE, run_topic


@dataclass(eq=False, slots=True)
class WorkerConnection:
    """One open socket. `push` sends an event on a topic, and does nothing before its join."""

    worker_id: str
    version: str | None
    api_version: str | None
    push: Callable[[str, str, JsonObject], None]
    name: str | None = None
    capacity: int = 1
    queues: dict[str, int] = field(default_factory=dict)
    connected_at: int = field(default_factory=now)
    heartbeat_at: int = field(default_factory=now)
    joined: bool = False
    #: Runs whose channel is joined on this socket.
    runs: set[str] = field(default_factory=set)
    #: Claimed on this socket and not joined yet: run id -> claim id.
    unjoined: dict[str, str] = field(default_factory=dict)

    def wake(self) -> None:
        """Say that there is work."""
        self.push(WORKER_QUEUE, WORK_AVAILABLE, {})

    @property
    def free(self) -> int:
        return max(0, self.capacity - len(self.runs) - len(self.unjoined))


class Workers:
    """All connections of this process."""

    def __init__(self) -> None:
        self._connections: set[WorkerConnection] = set()

    def __iter__(self) -> Iterator[WorkerConnection]:
        return iter(sorted(self._connections, key=lambda c: c.connected_at))

    def add(self, connection: WorkerConnection) -> None:
        self._connections.add(connection)

    def remove(self, connection: WorkerConnection) -> None:
        self._connections.discard(connection)

    def is_connected(self, worker_id: str | None) -> bool:
        return any(c.worker_id == worker_id for c in self._connections)

    def has_channel(self, run_id: str) -> bool:
        return any(run_id in c.runs for c in self._connections)

    def wake(self, runs: int) -> None:
        """Tell as many workers as there are new runs, those with most room first (2.5).

        Also one without room: it may have had the answer to the end of a run before we hear that
        it has left the run's channel. It knows itself whether it can claim.
        """
        ready = sorted((c for c in self._connections if c.joined), key=lambda c: -c.free)
        for connection in ready[: max(runs, 1)]:
            connection.wake()

    def cancel(self, run_id: str, reason: str) -> None:
        """Ask whoever has a run to end it. One that joins later hears it in the answer."""
        for connection in self._connections:
            if run_id in connection.runs:
                connection.push(run_topic(run_id), RUN_ABORT, {"reason": reason})


def record_connected(tx: Transaction, connection: WorkerConnection, platform_id: str) -> None:
    """Mirror a worker that has joined at this platform."""
    workers.put_worker(
        tx,
        connection.worker_id,
        platform_id=platform_id,
        name=connection.name,
        version=connection.version,
        api_version=connection.api_version,
        capacity=connection.capacity,
        queues=json.dumps(connection.queues),
        connected_at=connection.connected_at,
        disconnected_at=None,
        last_heartbeat_at=connection.heartbeat_at,
        vitals=None,
        vitals_at=None,
    )
    tx.notify("workers", "connected", worker_id=connection.worker_id)


def record_vitals(tx: Transaction, worker_id: str, platform_id: str, told: JsonObject) -> None:
    """Keep what a worker tells of itself, while it is connected here."""
    values = {"vitals": json.dumps(told), "vitals_at": tx.now}
    workers.change_worker(tx, worker_id, platform_id, **values)
    tx.notify("vitals", "told", worker_id=worker_id)


def record_seen(
    tx: Transaction,
    connection: WorkerConnection,
    platform_id: str,
    *,
    gone: bool,
    runs: frozenset[str] = frozenset(),
) -> None:
    """Mirror a sign of life, or the end of the connection, which concerns these runs.

    A worker that has gone to another platform meanwhile is that one's.
    """
    values: dict[str, object] = {"last_heartbeat_at": connection.heartbeat_at}
    if connection.name is not None:
        values["name"] = connection.name
    if gone:
        values["disconnected_at"] = tx.now
        tx.notify("workers", "disconnected", worker_id=connection.worker_id)
        for run_id in runs:
            tx.notify(f"run:{run_id}", "worker gone")
    workers.change_worker(tx, connection.worker_id, platform_id, **values)
