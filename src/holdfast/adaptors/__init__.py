"""Resolve, install, describe and bundle adaptors."""
