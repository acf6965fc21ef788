"""What a project document asks for, in the terms of the policy. Pure."""

from __future__ import annotations

from holdfast.model.json import JsonObject
from holdfast.platform.access.policy import ALLOWED, Action, Subject, Verdict, decide

#: Members of a project that belong to its settings. Its workflows do not, nor its name.
_SETTINGS = (
    "name", "description", "concurrency", "retention_policy", "history_retention_period",
    "dataclip_retention_period", "channels", "requires_mfa", "allow_support_access",
    "scheduled_deletion", "env", "color", "parent_id", "record",
)  # fmt: skip


def judge(subject: Subject, whole: JsonObject, current: JsonObject | None) -> Verdict:
    """Whether the subject may make the project `current` what the document `whole` says.

    Whoever may change workflows may deploy them; settings and credentials are for those who may
    manage the project. `current` None: there is no such project yet.
    """
    if current is None:
        return decide(subject, Action.CREATE)
    project_id = str(current["id"])
    verdict = decide(subject, Action.DEPLOY, project_id)
    if not verdict.allowed or not changes_settings(whole, current):
        return verdict
    verdict = decide(subject, Action.MANAGE, project_id)
    if verdict.allowed:
        return ALLOWED
    return Verdict(verdict.reason, f"{verdict.needed} to change the project's settings")


def changes_settings(whole: JsonObject, current: JsonObject) -> bool:
    """Whether the document changes more than workflows."""
    return any(name in whole and whole[name] != current.get(name) for name in _SETTINGS)
