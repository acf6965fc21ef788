"""From the journal to the platform: what is sent, in which order, how often."""
