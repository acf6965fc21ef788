"""`python -m benchmarks.worker`."""

import sys

from benchmarks.worker import main

main(sys.argv[1:])
