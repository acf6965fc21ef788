"""Backups of a platform: its database in one file, its keys in another, to be kept apart."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

from holdfast.model.errors import UsageError
from holdfast.platform.settings import Settings
from holdfast.platform.store import backup
from holdfast.platform.store.backup import Backup

__all__ = ["Backup", "back_up", "restore", "verify"]

verify = backup.verify
_TOKEN = "admin-token"  # noqa: S105 - the name of a file


def back_up(settings: Settings, file: Path, keys: Path | None) -> Backup:
    """Write new files. Raises UsageError, BackupError."""
    if settings.database_url is None and not (settings.data / "platform.db").exists():
        message = f"there is no database in {settings.data}"
        raise UsageError(message, fix="Name the platform's folder with --data.")
    for path in (file, keys):
        if path is not None and path.exists():
            message = f"{path} exists already"
            raise UsageError(message, fix="Name a new file.")
    done = backup.write(settings.database, file)
    if keys is not None:
        _write_keys(settings.data, keys)
    return done


def restore(settings: Settings, file: Path, keys: Path | None) -> Backup:
    """Fill the empty database of these settings. Raises UsageError, BackupError."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if settings.database_url is None:
        (settings.data / "platform.db").touch(mode=0o600)
    done = backup.restore(settings.database, file)
    if keys is not None:
        _read_keys(keys, settings.data)
    return done


def _write_keys(data: Path, path: Path) -> None:
    files = [*(data / "keys").iterdir(), data / _TOKEN]
    told = {
        str(file.relative_to(data)): base64.b64encode(file.read_bytes()).decode()
        for file in sorted(files)
        if file.is_file()
    }
    _write(path, json.dumps(told).encode())


def _read_keys(path: Path, data: Path) -> None:
    """Raises UsageError when there are keys already, or the file has none."""
    try:
        told = {
            name: base64.b64decode(text) for name, text in json.loads(path.read_text()).items()
        }
    except (OSError, ValueError, AttributeError, TypeError) as error:
        message = f"{path} has no keys: {error}"
        raise UsageError(message, fix="Name the file that `backup --keys` wrote.") from error
    (data / "keys").mkdir(mode=0o700, exist_ok=True)
    for name, content in told.items():
        target = data / name
        if target.parent not in {data, data / "keys"} or target.exists():
            message = f"{target} exists already, or is no key"
            raise UsageError(message, fix="Restore into a folder without keys.")
        _write(target, content)


def _write(path: Path, content: bytes) -> None:
    """A new file that only its owner may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(content)
