"""Zygotes: processes that have loaded runtime and adaptors, and fork a child for each run."""
