"""Holdfast: the run worker and platform for workflow automation that never loses a run."""

__version__ = "0.1.0"
