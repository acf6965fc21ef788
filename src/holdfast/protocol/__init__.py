"""Phoenix frames, channel state machines, event schemas, tokens: pure."""
