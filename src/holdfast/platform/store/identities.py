"""Which account somebody has whom a provider of single sign-on knows."""

from __future__ import annotations

from sqlalchemy import select

from holdfast.platform.access.single_sign_on import Identity
from holdfast.platform.store import access_tables as a
from holdfast.platform.store import accounts
from holdfast.platform.store.database import Row, Transaction, insert_new


def account_of(tx: Transaction, identity: Identity, *, make: bool) -> Row | None:
    """The account, which may be disabled; None: there is none.

    Somebody who comes for the first time gets the account with the address that the provider has
    checked. `make`: where there is none, one is made that belongs to no project yet.
    """
    i = a.identities.c
    known = select(i.user_id).where(i.issuer == identity.issuer, i.subject == identity.subject)
    user_id: str | None = tx.connection.scalar(known)
    if user_id is None and identity.email:
        row = accounts.find_user(tx.connection, identity.email)
        user_id = None if row is None else row.id
        if user_id is None and make:
            user_id = accounts.add_user(
                tx,
                email=identity.email,
                name=identity.name,
                administrator=False,
                password=None,
            )
        if user_id is not None:
            named = {"issuer": identity.issuer, "subject": identity.subject}
            tx.connection.execute(
                insert_new(tx.connection.dialect.name, a.identities).values(
                    **named, user_id=user_id, inserted_at=tx.now
                )
            )
    return None if user_id is None else accounts.find_user(tx.connection, user_id)
