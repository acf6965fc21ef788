"""Supervisor, shim and run process: executes one plan and yields its journal."""
