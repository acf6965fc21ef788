"""HTTP endpoints for scripts."""
