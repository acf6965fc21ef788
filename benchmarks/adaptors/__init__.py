"""What it costs to load an adaptor, and to ask the store for it."""
