"""What is sealed with a key, such as credentials and keys of webhooks; anew after a rotation."""

from __future__ import annotations

from sqlalchemy import Column, Table, select, update

from holdfast.platform.access.keys import Keys
from holdfast.platform.store import access_tables as a
from holdfast.platform.store import tables as t
from holdfast.platform.store.alert_tables import alert_rules
from holdfast.platform.store.database import Transaction

#: Each table with its sealed column.
_SEALED: tuple[tuple[Table, Column[bytes]], ...] = (
    (t.credential_versions, t.credential_versions.c.body),
    (a.webhook_keys, a.webhook_keys.c.secrets),
    (a.oauth_clients, a.oauth_clients.c.secret),
    (alert_rules, alert_rules.c.target),
)


def seal_anew(tx: Transaction, keys: Keys, after: str, most: int) -> tuple[str, int]:
    """Seal up to `most` rows of each table with today's key that another one has sealed.

    Rows are taken by id, after this one. The last id, empty when all was looked at; and how many
    were sealed. Raises BadKeyError.
    """
    ends, sealed = list[str](), 0
    for table, column in _SEALED:
        c = table.c
        rows = tx.connection.execute(
            select(c.id, column.label("sealed"))
            .where(c.id > after, column.is_not(None))
            .order_by(c.id)
            .limit(most)
        ).all()
        for row in rows:
            if not row.sealed.startswith(keys.mark):
                anew = keys.encrypt(keys.decrypt(row.sealed))
                tx.connection.execute(
                    update(table).where(c.id == row.id).values({column.name: anew})
                )
                sealed += 1
        if len(rows) == most:
            ends.append(rows[-1].id)
    return min(ends, default=""), sealed
