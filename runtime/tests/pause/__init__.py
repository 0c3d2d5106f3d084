"""Twins of runtime/pause."""
