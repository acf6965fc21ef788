"""Start an agent: `python -m holdfast.worker.agent`."""

from __future__ import annotations

import sys

from holdfast.worker.agent.agent import main

if __name__ == "__main__":
    sys.exit(main())
