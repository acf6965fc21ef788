"""The agent: claim loops, channels, delivery, health."""
