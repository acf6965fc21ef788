"""`python -m benchmarks.journal`."""

from benchmarks.journal import main

main()
