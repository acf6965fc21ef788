"""Who may do what: the one place that decides (`docs/access.md`). Pure.

A request is made by a subject: an account, a token or a run. A subject has a role in each project
that it belongs to; an administrator is an owner of every project. A token has scopes besides: it
does what its owner may do, of the kinds that its scopes name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum


class Role(StrEnum):
    """What somebody is in a project (`docs/spec/platform.md` 1.1), from little to much."""

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"
    OWNER = "owner"

    def covers(self, needed: Role) -> bool:
        """Whether this role may do all that the other may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


class Scope(StrEnum):
    """The kinds of actions that a token may be good for."""

    READ = "read"
    RUN = "run"
    DEPLOY = "deploy"
    COLLECTIONS = "collections"
    MANAGE = "manage"


ALL_SCOPES = frozenset(Scope)


class Action(Enum):
    """What can be asked for."""

    #: See workflows, runs, logs and documents of a project.
    READ = "read"
    #: Start, retry and cancel runs.
    RUN = "run"
    #: Change workflows.
    DEPLOY = "deploy"
    #: Make a project.
    CREATE = "create"
    #: Change a project's settings, members, secrets and tokens; see its audit log.
    MANAGE = "manage"
    #: Make somebody else the owner.
    OWN = "own"
    READ_COLLECTION = "read collection"
    WRITE_COLLECTION = "write collection"
    #: Remove many items at once.
    CLEAR_COLLECTION = "clear collection"
    #: See what belongs to no project: queue, workers, lists of what one may see.
    LOOK = "look"
    #: See figures of the whole platform.
    MONITOR = "monitor"
    #: One's own password, sessions and tokens.
    ACCOUNT = "account"
    #: Accounts of others, the whole audit log, keys.
    ADMINISTER = "administer"


@dataclass(frozen=True, slots=True)
class Rule:
    """What an action needs. `role` None: it belongs to no project."""

    scope: Scope
    role: Role | None = None
    administrator: bool = False


RULES: Mapping[Action, Rule] = {
    Action.READ: Rule(Scope.READ, Role.VIEWER),
    Action.RUN: Rule(Scope.RUN, Role.EDITOR),
    Action.DEPLOY: Rule(Scope.DEPLOY, Role.EDITOR),
    Action.CREATE: Rule(Scope.DEPLOY, administrator=True),
    Action.MANAGE: Rule(Scope.MANAGE, Role.ADMIN),
    Action.OWN: Rule(Scope.MANAGE, Role.OWNER),
    Action.READ_COLLECTION: Rule(Scope.COLLECTIONS, Role.VIEWER),
    Action.WRITE_COLLECTION: Rule(Scope.COLLECTIONS, Role.EDITOR),
    Action.CLEAR_COLLECTION: Rule(Scope.COLLECTIONS, Role.ADMIN),
    Action.LOOK: Rule(Scope.READ),
    Action.MONITOR: Rule(Scope.READ, administrator=True),
    Action.ACCOUNT: Rule(Scope.MANAGE),
    Action.ADMINISTER: Rule(Scope.MANAGE, administrator=True),
}


class Kind(Enum):
    """What a subject came with."""

    NOBODY = "nobody"
    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - not a password
    #: The token of a run that is under way.
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks."""

    kind: Kind
    #: For logs and lists: an e-mail address, or the name of a token.
    name: str = ""
    #: The account; None for a token of a project, for a run and for nobody.
    user_id: str | None = None
    administrator: bool = False
    #: By project id.
    roles: Mapping[str, Role] = field(default_factory=dict)
    scopes: frozenset[Scope] = ALL_SCOPES
    #: The session or token, by the id that lists show.
    key_id: str | None = None
    #: The token is good for one project only.
    narrow: bool = False

    def role_in(self, project_id: str) -> Role | None:
        """What the subject is in a project; None: it does not belong to it."""
        return Role.OWNER if self.administrator else self.roles.get(project_id)

    @property
    def visible(self) -> frozenset[str] | None:
        """The projects whose content may be listed; None: every one."""
        return None if self.administrator else frozenset(self.roles)

    @property
    def whole(self) -> bool:
        """Whether this is an account with all of its rights, and not a token for a part."""
        return self.user_id is not None and self.scopes == ALL_SCOPES and not self.narrow


NOBODY = Subject(Kind.NOBODY)


class Reason(StrEnum):
    """Why something is allowed or not."""

    ALLOWED = "allowed"
    UNKNOWN = "nobody has signed in"
    SCOPE = "the token is not good for this"
    ADMINISTRATOR = "only administrators may do this"
    #: Whoever does not belong to a project is not told whether it exists.
    NO_MEMBER = "not found"
    ROLE = "the role in this project does not allow this"
    #: Else a token for a little could make itself one for everything.
    NO_ACCOUNT = "only an account with all of its rights may do this"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer. `needed` says what would be enough."""

    reason: Reason
    needed: str = ""

    @property
    def allowed(self) -> bool:
        return self.reason is Reason.ALLOWED


ALLOWED = Verdict(Reason.ALLOWED)


def decide(subject: Subject, action: Action, project_id: str | None = None) -> Verdict:
    """Whether the subject may do this, in this project where the action belongs to one."""
    rule = RULES[action]
    if subject.kind is Kind.NOBODY:
        return Verdict(Reason.UNKNOWN)
    if rule.role is not None and (verdict := _of_role(subject, rule.role, project_id)) is not None:
        return verdict
    if rule.scope not in subject.scopes:
        return Verdict(Reason.SCOPE, f"a token with the scope {rule.scope}")
    return _of_account(subject, action)


def _of_account(subject: Subject, action: Action) -> Verdict:
    if RULES[action].administrator and not subject.administrator:
        return Verdict(Reason.ADMINISTRATOR, "an administrator")
    if action in {Action.ACCOUNT, Action.ADMINISTER} and not subject.whole:
        return Verdict(Reason.NO_ACCOUNT, "a session, or a token with every scope")
    return ALLOWED


def _of_role(subject: Subject, needed: Role, project_id: str | None) -> Verdict | None:
    """What keeps the subject from this because of its role; None: nothing."""
    role = None if project_id is None else subject.role_in(project_id)
    if role is None:
        return Verdict(Reason.NO_MEMBER)
    return None if role.covers(needed) else Verdict(Reason.ROLE, f"the role {needed}")


def may_give(subject: Subject, project_id: str, role: Role, had: Role | None) -> Verdict:
    """Whether the subject may change a member's role from `had` to `role`; owners are special."""
    touches_owner = Role.OWNER in {role, had}
    return decide(subject, Action.OWN if touches_owner else Action.MANAGE, project_id)
