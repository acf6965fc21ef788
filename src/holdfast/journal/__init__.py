"""The durable record of one run, and its accepted mark."""
