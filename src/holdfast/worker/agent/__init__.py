"""The agent: claims, adoption after a start, drain, health."""
