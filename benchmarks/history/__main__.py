"""`python -m benchmarks.history`."""

import sys

from benchmarks.history import main

if __name__ == "__main__":
    main(sys.argv[1:])
