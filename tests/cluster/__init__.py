"""Chaos for a cluster: two platforms on one PostgreSQL with a standby, and three workers."""
