"""The JavaScript grammar, without the other modules that its package loads.

Importing `tree_sitter_javascript` also loads `importlib.resources` for query files that are not
used here. That costs 2.5 MB and a third of the start of every compiler process.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util


def javascript() -> object:
    """The grammar, in the form that `tree_sitter.Language` takes."""
    package = importlib.util.find_spec("tree_sitter_javascript")
    folders = package.submodule_search_locations if package else None
    finder = importlib.machinery.PathFinder()
    binding = finder.find_spec("_binding", list(folders)) if folders else None
    if binding is None or binding.loader is None:
        import tree_sitter_javascript  # noqa: PLC0415  only when it is built in another way

        return tree_sitter_javascript.language()
    module = importlib.util.module_from_spec(binding)
    binding.loader.exec_module(module)
    language: object = module.language()
    return language
