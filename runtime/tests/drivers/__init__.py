"""Twins of runtime/drivers."""
