"""The supervisor: forks a shim per run, keeps the agent alive, ends what died."""
