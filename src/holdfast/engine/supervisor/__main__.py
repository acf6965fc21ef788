"""Start a supervisor: `python -m holdfast.engine.supervisor`."""

from __future__ import annotations

import sys

from holdfast.engine.config import EngineError
from holdfast.engine.supervisor.supervisor import arguments, main

if __name__ == "__main__":
    try:
        sys.exit(main(arguments()))
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
