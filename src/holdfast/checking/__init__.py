"""Checks of code before anything runs: for the command and for the page."""
