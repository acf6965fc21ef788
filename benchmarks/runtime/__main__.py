"""`python -m benchmarks.runtime`."""

from __future__ import annotations

from benchmarks.runtime import main

if __name__ == "__main__":
    main()
