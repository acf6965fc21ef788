"""`python -m benchmarks.platform`."""

from benchmarks.platform import main

main()
