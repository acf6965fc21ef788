"""Isolation layers and limits: probe what this host offers, apply it, read the evidence."""
