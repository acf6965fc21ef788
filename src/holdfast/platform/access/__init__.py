"""Who may come in, and how much of it at a time."""
