"""The shim: one process per run, its limits, its clock, its sandbox, its journal."""
