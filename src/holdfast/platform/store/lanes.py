"""Where runs wait: queues and priorities, and the lanes that they make."""

from __future__ import annotations

from typing import TypeAlias

#: Those of people, those whose caller waits, and all others.
QUEUES = MANUAL, FAST_LANE, DEFAULT = "manual", "fast_lane", "default"
IMMEDIATE, NORMAL, LOW = PRIORITIES = 0, 1, 2

#: Queue, priority, project, workflow: columns of runs, and their values.
LANE = ("queue", "priority", "project_id", "workflow_id")
Lane: TypeAlias = tuple[str, int, str, str]
