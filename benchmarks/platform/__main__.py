"""`python -m benchmarks.platform`."""

import sys

from benchmarks.platform import main

if __name__ == "__main__":
    main(sys.argv[1:])
