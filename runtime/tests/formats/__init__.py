"""Twins of runtime/formats."""
