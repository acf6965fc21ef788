"""V8's flags in every Node.js that loads code of adaptors and jobs."""

from __future__ import annotations

#: The same everywhere: V8 takes a code cache only under the flags it was made with.
FLAGS = ("--experimental-vm-modules",)
