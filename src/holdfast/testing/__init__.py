"""Shipped twins and the registry of fault points."""
