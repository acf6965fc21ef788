"""Many recorded runs, each replayed several times."""
