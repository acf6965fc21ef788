"""What an installed package says of itself: version, entry file, exported names."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from holdfast.adaptors.errors import StoreError
from holdfast.model.json import Json, JsonObject, parse_document

#: Conditions of an export map in the order we try them; the reference knows `import` only.
_CONDITIONS = ("import", "node", "module", "default", "require")


def read_manifest(folder: Path) -> JsonObject:
    """The package's package.json. Raises StoreError when it is missing or no object."""
    path = folder / "package.json"
    try:
        manifest: Json = parse_document(path.read_text())
    except FileNotFoundError:
        message = f"there is no package.json in {folder}"
        raise StoreError(message) from None
    except (OSError, ValueError) as error:
        message = f"the package.json in {folder} cannot be read ({error})"
        raise StoreError(message) from None
    if not isinstance(manifest, dict):
        message = f"the package.json in {folder} is no JSON object"
        raise StoreError(message)
    return manifest


def entry_file(folder: Path, manifest: JsonObject) -> str:
    """The file to load, relative to the package's folder (docs/spec/runtime.md 4.4).

    Nested conditions and entries without a file extension, at which the reference fails, are
    followed as Node does. Raises StoreError when there is no such file inside the folder.
    """
    named = _named_entry(manifest)
    for candidate in (named, f"{named}.js", f"{named}.cjs", f"{named}/index.js"):
        path = PurePosixPath(candidate)
        if path.is_absolute() or ".." in path.parts:
            break
        if (folder / path).is_file():
            return str(path)
    message = f"its entry file {named!r} does not exist"
    raise StoreError(message)


def _named_entry(manifest: JsonObject) -> str:
    exports = manifest.get("exports")
    if isinstance(exports, str):
        return exports
    if isinstance(exports, dict) and "." in exports:
        found = _conditional(exports["."])
        if found is not None:
            return found
    main = manifest.get("main")
    if isinstance(main, str) and main:
        return main
    if isinstance(exports, dict):
        # Conditions without a "." in front; a map of other subpaths has none of these keys.
        return _conditional(exports) or "index.js"
    return "index.js"


def _conditional(value: Json) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        for condition in _CONDITIONS:
            found = _conditional(value.get(condition))
            if found is not None:
                return found
    return None
