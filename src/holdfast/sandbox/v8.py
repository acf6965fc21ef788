"""V8's flags in every Node.js that loads code of adaptors and jobs."""

from __future__ import annotations

#: The same everywhere: V8 takes a code cache only under the flags it was made with.
#: `--freeze-flags-after-init`: with some flags JavaScript becomes machine code of its author's
#: choice; whoever sets one later ends the process. `--expose-gc-as`: V8 gives its collector to
#: every context, where it cannot be deleted; so it gets a name that each step's world has anyhow.
FLAGS = ("--freeze-flags-after-init", "--expose-gc-as=state", "--experimental-vm-modules")
