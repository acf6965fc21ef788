"""Isolation layers and limits: probe, apply, read the evidence."""
