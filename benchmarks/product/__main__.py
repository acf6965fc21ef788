"""`python -m benchmarks.product`."""

import sys

from benchmarks.product import main

main(sys.argv[1:])
