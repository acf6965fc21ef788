"""npm's failures and those of the disk, in words for the person who has to act."""

from __future__ import annotations

import errno

from holdfast.adaptors.errors import AutoinstallError
from holdfast.adaptors.npm import Cause, NpmError

#: Cause -> what is wrong, what to do about it.
WORDS: dict[Cause, tuple[str, str]] = {
    Cause.UNKNOWN_PACKAGE: (
        "the npm registry has no package or version of this name",
        "Check the spelling, and that the worker uses the right registry (npm_config_registry).",
    ),
    Cause.UNKNOWN_VERSION: (
        "this package has no such version",
        "Choose a version that was published.",
    ),
    Cause.UNREACHABLE: (
        "the npm registry cannot be reached",
        "Check the network and proxy settings, or load a bundle: holdfast adaptors load FILE.",
    ),
    Cause.UNAVAILABLE: (
        "the npm registry does not answer properly at the moment",
        "Try again later, or load a bundle: holdfast adaptors load FILE.",
    ),
    Cause.CERTIFICATE: (
        "the certificate of the npm registry is not trusted",
        "Name your certificate authority in NODE_EXTRA_CA_CERTS or npm_config_cafile.",
    ),
    Cause.REFUSED: (
        "the npm registry refuses access to this package",
        "Check the registry's token in the npm configuration of the worker's user.",
    ),
    Cause.DISK_FULL: ("the disk is full", "Make room in the adaptor store's file system."),
    Cause.NOT_WRITABLE: (
        "the adaptor store is not writable",
        "Give the worker's user write access, or choose another folder (WORKER_REPO_DIR).",
    ),
    Cause.TAMPERED: (
        "what the registry sent does not match its checksum; nothing was installed",
        "Try again; if it stays, the registry or a proxy on the way changes packages.",
    ),
    Cause.FOREIGN: (
        "it asks for a package that is not from the registry; nothing was installed",
        "Choose a version that needs no package from a web address, git repository or file.",
    ),
    Cause.TOO_SLOW: (
        "npm did not finish in time",
        "Check the network, or load a bundle: holdfast adaptors load FILE.",
    ),
}
_ERRNO = {
    errno.ENOSPC: Cause.DISK_FULL,
    errno.EDQUOT: Cause.DISK_FULL,
    errno.EACCES: Cause.NOT_WRITABLE,
    errno.EPERM: Cause.NOT_WRITABLE,
    errno.EROFS: Cause.NOT_WRITABLE,
}


def from_npm(error: NpmError, specifier: str) -> AutoinstallError:
    """What a run or a command is told when npm failed."""
    text, fix = WORDS.get(error.cause, (f"npm failed with {error.code}", None))
    if error.package is not None and error.package != specifier:
        text = f"it needs {error.package}: {text}"
    return AutoinstallError(text, specifier=specifier, fix=fix, transient=error.cause.transient)


def from_system(error: OSError, specifier: str) -> AutoinstallError:
    """What a run or a command is told when the file system refused."""
    cause = _ERRNO.get(error.errno or 0)
    if cause is None:
        text = f"the adaptor store cannot be used ({error.strerror or type(error).__name__})"
        return AutoinstallError(text, specifier=specifier)
    text, fix = WORDS[cause]
    return AutoinstallError(text, specifier=specifier, fix=fix)
