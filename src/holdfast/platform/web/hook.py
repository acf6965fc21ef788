"""What somebody edits of a webhook: its path, when it answers, who may use it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.model.json import JsonObject

#: The field that says that a form speaks of a webhook: a box that is not ticked is not sent.
MARK = "hook"
_KEY, _METHOD = "key:", "method:"


@dataclass(frozen=True, slots=True)
class Hook:
    """The members of a trigger that only a webhook has. Empty: as if they were not there."""

    path: str = ""
    reply: str = ""
    keys: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    origins: str = ""

    @classmethod
    def of_document(cls, item: Mapping[str, Any]) -> Hook:
        access = item.get("webhook_access") or {}
        return cls(
            item.get("custom_path") or "",
            item.get("webhook_reply") or "",
            tuple(access.get("keys", ())),
            tuple(access.get("methods", ())),
            " ".join(access.get("origins", ())),
        )

    @classmethod
    def of_form(cls, members: Mapping[str, str]) -> Hook | None:
        """None: the form does not speak of it."""
        if MARK not in members:
            return None
        return cls(
            members.get("path", "").strip(),
            members.get("reply", ""),
            tuple(name.removeprefix(_KEY) for name in members if name.startswith(_KEY)),
            tuple(name.removeprefix(_METHOD) for name in members if name.startswith(_METHOD)),
            " ".join(members.get("origins", "").replace(",", " ").split()),
        )

    def to_document(self) -> JsonObject:
        """Members of the trigger; what is empty is taken away there."""
        access: JsonObject = {
            name: list(items)
            for name, items in (
                ("keys", self.keys),
                ("methods", self.methods),
                ("origins", tuple(self.origins.split())),
            )
            if items
        }
        return {
            "custom_path": self.path or None,
            "webhook_reply": self.reply or None,
            "webhook_access": access or None,
        }
