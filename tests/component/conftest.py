"""Fixtures of the component layer: real parts, started by the tests."""

from fixtures.adaptors import adaptor_store, real_adaptors

__all__ = ["adaptor_store", "real_adaptors"]
