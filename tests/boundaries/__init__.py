"""Runs that are killed between their requests."""
