"""A project of one job behind a webhook, and the platform's address as a worker is told it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from support.adaptors import COMMON
from support.platform import Served

TRIGGER, JOB = str(uuid.UUID(int=41)), str(uuid.UUID(int=42))


def project(body: str) -> dict[str, Any]:
    return {
        "name": "half",
        "workflows": [
            {
                "name": "Ticks",
                "jobs": [{"id": JOB, "name": "Tick", "body": body, "adaptor": COMMON}],
                "triggers": [{"id": TRIGGER, "type": "webhook", "enabled": True}],
                "edges": [
                    {"source_trigger_id": TRIGGER, "target_job_id": JOB,
                     "condition_type": "always"},
                ],
            }
        ],
    }  # fmt: skip


@dataclass
class Address:
    """What a worker needs to know of a platform."""

    url: str
    secret: str

    @classmethod
    def of(cls, served: Served) -> Address:
        return cls(served.worker_url, served.platform.keys.worker_secret)
