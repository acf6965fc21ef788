"""`python -m benchmarks.scaling`."""

import sys

from benchmarks.scaling import main

if __name__ == "__main__":
    main(sys.argv[1:])
