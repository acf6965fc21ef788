"""npm as a child process: our own Node, a clean environment, failures told apart by cause.

Package scripts never run (`--ignore-scripts`). npm's command line, output and configuration,
which may hold tokens, never reach a message: a message is built from npm's error code.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from pathlib import Path

from holdfast.adaptors.node import node_binary, npm_script
from holdfast.model.json import Json, JsonObject, parse_document
from holdfast.paths import absolute

#: Longest time npm may take for one command, seconds.
TIME_LIMIT_SECONDS = 600.0

#: What npm needs to reach a registry, and nothing else of our environment.
_KEPT = {
    "HOME", "TMPDIR", "LANG", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
    "NODE_EXTRA_CA_CERTS", "NODE_USE_SYSTEM_CA", "SSL_CERT_FILE", "SSL_CERT_DIR",
}  # fmt: skip
_KEPT_NPM = {
    "registry", "userconfig", "globalconfig", "cafile", "ca", "cert", "key", "proxy",
    "https_proxy", "noproxy", "strict_ssl", "maxsockets", "fetch_timeout",
}  # fmt: skip


#: Those that name files: npm works in another folder than we do.
_FILES = {
    "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR", "NPM_CONFIG_USERCONFIG",
    "NPM_CONFIG_GLOBALCONFIG", "NPM_CONFIG_CAFILE",
}  # fmt: skip


class Cause(Enum):
    """Why npm failed, as far as anybody can act on it."""

    UNKNOWN_PACKAGE = "unknown package"
    UNKNOWN_VERSION = "unknown version"
    UNREACHABLE = "registry unreachable"
    UNAVAILABLE = "registry answers with errors"
    CERTIFICATE = "certificate not trusted"
    REFUSED = "access refused"
    DISK_FULL = "disk full"
    NOT_WRITABLE = "folder not writable"
    TAMPERED = "checksum differs"
    FOREIGN = "a dependency from elsewhere than the registry"
    TOO_SLOW = "time limit of npm reached"
    OTHER = "anything else"

    @property
    def transient(self) -> bool:
        """Whether the same command may succeed a little later."""
        return self in {Cause.UNREACHABLE, Cause.UNAVAILABLE}


_CODES = {
    "E404": Cause.UNKNOWN_PACKAGE,
    "ETARGET": Cause.UNKNOWN_VERSION,
    "ENOVERSIONS": Cause.UNKNOWN_VERSION,
    "E401": Cause.REFUSED,
    "E403": Cause.REFUSED,
    "ENEEDAUTH": Cause.REFUSED,
    "E429": Cause.UNAVAILABLE,
    "ENOSPC": Cause.DISK_FULL,
    "EDQUOT": Cause.DISK_FULL,
    "EACCES": Cause.NOT_WRITABLE,
    "EPERM": Cause.NOT_WRITABLE,
    "EROFS": Cause.NOT_WRITABLE,
    "EINTEGRITY": Cause.TAMPERED,
    "EALLOWGIT": Cause.FOREIGN,
    "EALLOWREMOTE": Cause.FOREIGN,
    "EALLOWFILE": Cause.FOREIGN,
    "EALLOWDIRECTORY": Cause.FOREIGN,
    "DEPTH_ZERO_SELF_SIGNED_CERT": Cause.CERTIFICATE,
    "SELF_SIGNED_CERT_IN_CHAIN": Cause.CERTIFICATE,
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY": Cause.CERTIFICATE,
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE": Cause.CERTIFICATE,
    "CERT_HAS_EXPIRED": Cause.CERTIFICATE,
    "ERR_TLS_CERT_ALTNAME_INVALID": Cause.CERTIFICATE,
}
#: Kinds of dependencies that are not fetched, at any depth: they may name any address, and the
#: content there may change.
_FOREIGN = ("git", "remote", "file", "directory")
_NETWORK = {
    "ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "ENOTFOUND", "EAI_AGAIN", "EAI_FAIL",
    "ETIMEDOUT", "ESOCKETTIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "ENETDOWN", "EPIPE",
    "ERR_SOCKET_TIMEOUT", "ERR_SOCKET_CONNECTION_TIMEOUT", "ERR_STREAM_PREMATURE_CLOSE",
    "EIDLETIMEOUT", "ECONNECTIONTIMEOUT", "ERESPONSETIMEOUT", "ETRANSFERTIMEOUT",
    "EINVALIDPROXY", "EINVALIDRESPONSE",
}  # fmt: skip

_NAMED = r"((?:@[\w.~-]+/)?[\w.~-]+@[\w.^~*+-]+)"
_AT_FAULT = (
    re.compile(rf"No matching version found for {_NAMED}\.(?:\s|$)"),
    re.compile(rf"'{_NAMED}' is not in this registry"),
    re.compile(rf"The requested resource '{_NAMED}' could not be found"),
)


class NpmError(Exception):
    """npm has failed. `code` is npm's own, for the log.

    `package` is the package at fault, if npm names one. It may be a dependency of the wanted one.
    """

    def __init__(self, cause: Cause, code: str, package: str | None = None) -> None:
        super().__init__(f"{cause.value} ({code})")
        self.cause = cause
        self.code = code
        self.package = package


class Npm:
    """Runs npm commands. `cache` is npm's download cache; `environment` is what we were given."""

    def __init__(self, cache: Path, environment: Mapping[str, str] | None = None) -> None:
        self._cache = cache
        self._environment = clean_environment(os.environ if environment is None else environment)

    async def versions(self, wanted: str) -> list[str]:
        """The versions a specifier stands for, in the registry's order; empty when none.

        Raises NpmError.
        """
        # `version` holds one text, or a list where a range fits several versions.
        text = await self._run(["view", "--prefer-online", wanted, "version"], self._cache)
        found = parse_document(text) if text.strip() else []
        return [str(version) for version in (found if isinstance(found, list) else [found])]

    async def install(
        self,
        folder: Path,
        wanted: str,
        *,
        overrides: Mapping[str, str] | None = None,
        hold: int | None = None,
    ) -> JsonObject:
        """Install one exact version and what it needs into `folder`; its lock file is returned.

        `overrides` are versions for packages it needs, instead of those it asks for. `hold` is
        an open descriptor npm inherits: a lock on it lasts until npm has ended, also when this
        process is killed. Raises NpmError.
        """
        manifest = {"name": "holdfast-store", "private": True, "overrides": dict(overrides or {})}
        (folder / "package.json").write_text(json.dumps(manifest))
        command = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-bin-links"]
        command += ["--save-exact", "--package-lock", "--omit=dev", "--prefer-online"]
        # Set here so that a setting of the machine cannot choose another layout or a script.
        command += ["--install-strategy=hoisted", "--no-global", "--no-dry-run"]
        command += ["--no-omit-lockfile-registry-resolved"]  # `_check_origins` reads it
        command += [f"--allow-{kind}=none" for kind in _FOREIGN]
        command.append(wanted)
        await self._run(command, folder, hold)
        lock = parse_document((folder / "package-lock.json").read_text())
        assert isinstance(lock, dict), "npm writes an object"
        _check_origins(lock)
        return lock

    async def _run(self, command: list[str], folder: Path, hold: int | None = None) -> str:
        self._cache.mkdir(parents=True, exist_ok=True)
        arguments = [str(npm_script()), *command, "--json", "--loglevel=silent"]
        arguments += ["--no-update-notifier", "--logs-max=0", "--fetch-retries=0"]
        process = await asyncio.create_subprocess_exec(
            str(node_binary()),
            *arguments,
            f"--cache={self._cache}",
            cwd=folder,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=() if hold is None else (hold,),
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(TIME_LIMIT_SECONDS):
                output, _ = await process.communicate()
        except TimeoutError:
            raise NpmError(Cause.TOO_SLOW, "time limit") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await asyncio.shield(process.wait())
        text = output.decode(errors="replace")
        if process.returncode:
            raise failure(text, process.returncode)
        return text


def failure(output: str, status: int) -> NpmError:
    """The error behind npm's JSON report; unreadable reports give `Cause.OTHER`."""
    try:
        report: Json = parse_document(output)
    except ValueError:
        report = None
    error = report.get("error") if isinstance(report, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    if not isinstance(code, str) or not code.replace("_", "").isalnum():
        code = f"signal {-status}" if status < 0 else f"exit status {status}"
    return NpmError(cause_of(code), code, _package_at_fault(error))


def _package_at_fault(error: Json) -> str | None:
    """The package that npm's texts name; its other texts may hold addresses and tokens."""
    if isinstance(error, dict):
        for text in (error.get("summary"), error.get("detail")):
            for pattern in _AT_FAULT:
                match = pattern.search(text) if isinstance(text, str) else None
                # npm loses the name when a range fits no version.
                if match is not None and not match[1].startswith("undefined@"):
                    return match[1]
    return None


def _check_origins(lock: JsonObject) -> None:
    """That npm kept to `_FOREIGN`: each package is from a registry or was packed in another.

    Raises NpmError.
    """
    packages = lock.get("packages")
    for place, facts in packages.items() if isinstance(packages, dict) else ():
        if not place or not isinstance(facts, dict) or facts.get("inBundle"):
            continue
        origin = facts.get("resolved", "")
        if facts.get("link") or not str(origin).startswith(("https://", "http://")):
            raise NpmError(Cause.FOREIGN, "foreign origin", place.rpartition("node_modules/")[2])


def cause_of(code: str) -> Cause:
    """The cause behind npm's error code."""
    if code in _CODES:
        return _CODES[code]
    if code in _NETWORK:
        return Cause.UNREACHABLE
    if len(code) == 4 and code.startswith("E5"):
        return Cause.UNAVAILABLE
    return Cause.OTHER


def clean_environment(given: Mapping[str, str]) -> dict[str, str]:
    """The environment npm gets: how to reach the registry, and a PATH with only our Node."""
    kept = {name: value for name, value in given.items() if name.upper() in _KEPT and value}
    for name, value in given.items():
        if name.lower().startswith("npm_config_"):
            key = name[len("npm_config_") :]
            # `@scope:registry` and `//host/:_authToken` name the registry they are for.
            if (key.lower() in _KEPT_NPM or key.startswith(("@", "//"))) and value:
                kept[name] = value
    for name, value in kept.items():
        if name.upper() in _FILES:
            kept[name] = os.pathsep.join(str(absolute(path)) for path in value.split(os.pathsep))
    return kept | {"PATH": str(node_binary().parent)}
