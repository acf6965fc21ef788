"""Random faults against real processes. `python -m tests.chaos --seed 7 --runs 1000`."""
