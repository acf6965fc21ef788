"""The supervisor: hands runs to shims, keeps the agent alive, ends what died."""
