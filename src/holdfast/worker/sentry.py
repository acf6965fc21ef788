"""Errors of the worker, and events that the platform refused, to Sentry: WORKER_SENTRY_DSN.

Needs the extra `sentry`. What is sent is what the log says at the levels `warn` and `error`:
names of events and their context, which hold no secrets.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from holdfast import __version__, log

#: Told while a connection cannot be had; the first of each kind is enough.
_ONCE = {"connection.failed", "channel.refused"}


def set_up(dsn: str | None, environment: str) -> None:
    """Report from now on, if there is a DSN. Where that cannot be, one line says so."""
    if dsn and not _set_up(dsn, environment):
        why = "holdfast[sentry] is not installed, or the value is no DSN"
        log.warn("option.without_effect", name="WORKER_SENTRY_DSN", why=why)


def _set_up(dsn: str, environment: str) -> bool:
    if find_spec("sentry_sdk") is None:
        return False
    import sentry_sdk  # noqa: PLC0415 - only where it is asked for

    try:
        sentry_sdk.init(
            dsn=dsn, environment=environment, release=f"holdfast@{__version__}",
            default_integrations=False, send_default_pii=False, include_local_variables=False,
        )  # fmt: skip
    except sentry_sdk.utils.BadDsn:
        return False
    told: set[str] = set()

    def report(level: str, event: str, context: dict[str, object]) -> None:
        if level not in ("warn", "error") or event in told:
            return
        if event in _ONCE:
            told.add(event)
        with sentry_sdk.new_scope() as scope:
            texts: dict[str, Any] = {key: str(value) for key, value in context.items()}
            scope.set_context("event", texts)
            if "run" in texts:
                scope.set_tag("run", texts["run"])
            level_there: Any = {"warn": "warning", "error": "error"}[level]
            sentry_sdk.capture_message(event, level=level_there, scope=scope)

    log.listen(report)
    return True
