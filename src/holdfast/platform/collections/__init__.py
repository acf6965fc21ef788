"""Collections: items, patterns, and their routes."""
