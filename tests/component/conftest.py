"""Fixtures of the component layer: real parts, started by the tests."""

from support.adaptors import adaptor_store, real_adaptors

__all__ = ["adaptor_store", "real_adaptors"]
