"""The tables and queries of the embedded platform."""
