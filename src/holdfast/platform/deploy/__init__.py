"""Deploying: a document becomes what the platform runs."""
