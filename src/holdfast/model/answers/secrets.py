"""What the API answers about credentials of other systems and keys of webhooks."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from holdfast.model.answers.pages import Number, Text


class WebhookKey(TypedDict):
    """A key of webhooks, without its secret."""

    name: str
    type: str
    has_secret: bool
    window_seconds: Number
    old_secret_until: Text
    updated_at: Text


class SetKey(TypedDict):
    """What kind of key it is now."""

    name: str
    type: str
    window_seconds: Number


class NewKey(TypedDict):
    """A key; with its secret, this once, when that was made here."""

    data: SetKey
    secret: NotRequired[str]


class OAuthClient(TypedDict):
    """A client of OAuth 2, without its secret."""

    id: str
    name: str
    client_id: str
    has_secret: bool
    token_endpoint: str
    authorization_endpoint: Text
    scopes: list[str]
    inserted_at: Text
    updated_at: Text


class Keychain(TypedDict):
    """A keychain, which chooses a credential for each run."""

    id: str
    name: str
    path: str
    default_credential_id: Text
    inserted_at: Text
    updated_at: Text


class SchemaField(TypedDict):
    """A field of the form for a schema."""

    key: str
    kind: str
    title: str
    description: str
    required: bool
    secret: bool
    choices: list[Any]
    default: str
    example: str


class CredentialSchema(TypedDict):
    """A schema of credentials. `adaptor`: the exact version that it is from."""

    name: str
    adaptor: Text
    schema: dict[str, Any]
    fields: list[SchemaField]


class CredentialTest(TypedDict):
    """A test of a credential's connection.

    `finding`: `pending`, `accepted`, `answered`, `reached`, or what stood in the way. `status`: of
    the last answer. `what` and `change`: the cause of a failure, and what to do.
    """

    run_id: str
    state: str
    finding: str
    good: bool
    status: Number
    what: Text
    change: Text
