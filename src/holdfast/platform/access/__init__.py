"""Who may come in, and the keys."""
