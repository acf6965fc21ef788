"""Fuzzing of every door that takes foreign bytes: `make fuzz`, and a short part in each test run.

A door is a module in `tests/fuzz/doors`: it makes cases (`make`), and opens a target that takes
one (`opened`). A target raises when something is wrong. Cases come from three sources: the door's
own grammar, its seeds in `tests/fuzz/seeds/<name>`, and changes to either. A seed and a number
give the same case each time, so a failure is seen again by `--seed S --case N`; the case itself is
kept among the seeds.
"""
